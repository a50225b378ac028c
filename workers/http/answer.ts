/**
 * Makes the HTTP answer out of what a function returned: `{status_code?: int, headers?: object|string[], body?: any}`.
 *
 * `body` is sliced out of the result as text, so 64-bit integers and key order arrive as the function wrote them.
 *
 *     content-type set by the function   body      sent
 *     yes                                string    the text itself
 *     yes                                null      nothing
 *     yes                                other     JSON
 *     no                                 any       JSON, with content-type application/json
 */

import { shortened } from '../../src/log/notices.ts'
import { createObjectScanner } from '../../src/protocol/json/scan.ts'
import type { JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Heads } from './cors.ts'

/** The function wants a status that cannot be sent. */
export interface InvalidStatus {
  readonly invalidStatus: number
}

/** What has to leave in pieces. */
export interface LargeAnswer {
  readonly large: string
  readonly init: ResponseInit
}

/** Told what of the function's answer was left out or means nothing, one sentence each. */
export type Remark = (sentence: string) => void

const envelope = createObjectScanner(['status_code', 'headers', 'body'])
const STATUS_CODE = 0
const HEADERS = 1
const BODY = 2

const QUOTE = 34

/** What a result gives that has neither status nor body. */
function emptyAnswer(result: JsonText, heads: Heads, remark: Remark): Response {
  const first = result.trimStart()
  const kind = KINDS[first[0]!] ?? 'a number'
  remark(`the function returned ${kind}, which is sent as {}; return { body: … } to have it sent`)
  return new Response('{}', { headers: heads.json })
}

/** What a result is, by its first character. */
const KINDS: Readonly<Record<string, string>> = {
  '{': 'an object without `status_code`, `headers` and `body`',
  '[': 'a list',
  '"': 'a string',
  t: 'a boolean',
  f: 'a boolean',
}

/** `{}` says on purpose that there is nothing. */
const EMPTY_OBJECT = /^\s*\{\s*\}\s*$/

/** The connection layer frames every answer itself. */
const IGNORED = new Set(['content-length', 'transfer-encoding'])

/** Statuses whose answers have no body. */
const BODILESS = new Set([204, 205, 304])

export function createAnswer(
  result: JsonText | undefined,
  heads: Heads,
  remark: Remark,
): Response | InvalidStatus | LargeAnswer {
  if (result === undefined || result === 'null') {
    // Once there are channels, a function that returned nothing may still answer through `response` for a while.
    return new Response(null, { status: 204, headers: heads.bare })
  }
  if (envelope.scan(result) !== undefined) return emptyAnswer(result, heads, remark)
  const status = envelope.has(STATUS_CODE) ? statusOf(envelope.slice(STATUS_CODE)) : 200
  if (status > 599 || status < 200) return { invalidStatus: status }
  const hasHeaders = envelope.has(HEADERS)
  const hasBody = envelope.has(BODY)
  if (!hasBody && !hasHeaders && !envelope.has(STATUS_CODE) && !EMPTY_OBJECT.test(result)) {
    return emptyAnswer(result, heads, remark)
  }
  const body = hasBody ? envelope.slice(BODY) : '{}'
  const own = hasHeaders ? readOwnHeaders(envelope.slice(HEADERS), remark) : NO_HEADERS
  if (BODILESS.has(status)) return new Response(null, { status, headers: withOwn(heads.bare, own) })
  if (own.length === 0) return respond(body, { status, headers: heads.json })
  const headers = withOwn(heads.bare, own)
  if (!headers.has('content-type')) {
    headers.set('content-type', 'application/json')
    return respond(body, { status, headers })
  }
  return respond(typedBody(body), { status, headers })
}

function respond(body: string | null, init: ResponseInit): Response | LargeAnswer {
  return body !== null && body.length > limits.httpWholeAnswer
    ? { large: body, init }
    : new Response(body, init)
}

/** An integer of 100 to 999; anything else means 200. */
function statusOf(text: string): number {
  return /^[1-9]\d\d$/.test(text) ? Number(text) : 200
}

/** `content-type` is the function's own. */
function typedBody(body: string): string | null {
  if (body.charCodeAt(0) === QUOTE) return JSON.parse(body) as string
  return body === 'null' ? null : body
}

type Field = readonly [name: string, value: string]

const NO_HEADERS: readonly Field[] = []
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const VALUE = /^[\t\x20-\x7e]*$/

/** The headers of the object form, or of the lines `Name: value`; what cannot be sent is left out with a remark. */
function readOwnHeaders(text: string, remark: Remark): readonly Field[] {
  const headers = JSON.parse(text) as unknown
  if (typeof headers !== 'object' || headers === null) {
    if (headers !== null) remark('`headers` is neither an object nor a list and was left out')
    return NO_HEADERS
  }
  const pairs: Iterable<readonly unknown[]> = Array.isArray(headers)
    ? headers.map(line => splitLine(line))
    : lastOfEach(headers)
  const fields: Field[] = []
  for (const [name, value] of pairs) {
    if (typeof name !== 'string' || !NAME.test(name)) {
      const which = typeof name === 'string' ? `header '${shortened(name)}'` : 'a header line'
      remark(`${which} was left out: it has no valid name`)
    } else if (typeof value !== 'string' || !VALUE.test(value)) {
      remark(
        `header '${shortened(name)}' was left out: its value is not a string of printable ASCII characters`,
      )
    } else if (!IGNORED.has(name.toLowerCase())) {
      fields.push([name, value])
    }
  }
  return fields
}

function splitLine(line: unknown): readonly unknown[] {
  if (typeof line !== 'string') return []
  const colon = line.indexOf(':')
  return colon < 0 ? [] : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()]
}

/** Names that differ in case only are one header; the last one counts. */
function lastOfEach(headers: object): Iterable<readonly unknown[]> {
  return new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), [name, value]])).values()
}

/** A header the function names replaces ours, but `vary` is added to: ours stays true. */
function withOwn(heads: Headers, own: readonly Field[]): Headers {
  const headers = new Headers(heads)
  for (const [name] of own) if (name.toLowerCase() !== 'vary') headers.delete(name)
  for (const [name, value] of own) headers.append(name, value)
  return headers
}
