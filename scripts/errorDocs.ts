/** Writes `docs/errors.md` from the error catalogue. `bun scripts/errorDocs.ts` */
import { type ErrorEntry, errorCatalogue } from '../src/protocol/errors.ts'

const PLACES = {
  call: 'answer of a call',
  trigger: 'answer to a trigger registration',
  registration: '`registrationrejected`',
  http: 'HTTP answer',
  start: 'start of the engine',
  command: '`iii` command',
  client: 'made by the client',
  message: 'attempts of a message',
} as const

export function renderErrorDocs(): string {
  const rows = Object.entries<ErrorEntry>(errorCatalogue).map(([code, { where, cause, fix, status }]) => {
    const places = where.map(place => PLACES[place]).join(', ')
    return `| \`${code}\`${status === undefined ? '' : ` (${status})`} | ${places} | ${cause} | ${fix} |`
  })
  return `# Errors

Every code a client can meet. Functions may answer with codes of their own, which are passed on unchanged. The number behind a
code is its HTTP status.

| code | where | cause | what to do |
|---|---|---|---|
${rows.join('\n')}
`
}

if (import.meta.main) {
  await Bun.write(new URL('../docs/errors.md', import.meta.url), renderErrorDocs())
}
