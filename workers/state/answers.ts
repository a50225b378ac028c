/** Answers, written around values that stay as they are. */
import { RawJson } from '../../sdk/typescript/src/worker.ts'
import { asJsonText, JSON_NULL, type JsonText, quote, toJsonText } from '../../src/protocol/jsonText.ts'
import type { Item, ItemPage, StateChange, WriteResult, Written } from './store.ts'

const raw = (text: string): RawJson => new RawJson(asJsonText(text))

/** How durable it is, for those who asked. */
function reached({ level, ms }: WriteResult): string {
  return `,"durability":{"level":"${level}","ms":${ms}}`
}

function writtenText({ oldValue, newValue, version, errors }: Written, more: string): JsonText {
  const failed = errors.length === 0 ? '' : `,"errors":${toJsonText(errors)}`
  return asJsonText(
    `{"old_value":${oldValue ?? JSON_NULL},"new_value":${newValue ?? JSON_NULL},"version":${version}${failed}${more}}`,
  )
}

/** Of `set` and `update`. */
export function writtenAnswer(result: WriteResult, withMeta: boolean): RawJson {
  return new RawJson(writtenText(result.written[0]!, withMeta ? reached(result) : ''))
}

export function deletedAnswer(result: WriteResult, withMeta: boolean): RawJson | undefined {
  const { oldValue, version } = result.written[0]!
  if (!withMeta) return oldValue === undefined ? undefined : new RawJson(oldValue)
  return raw(`{"old_value":${oldValue ?? JSON_NULL},"version":${version}${reached(result)}}`)
}

/** Of several writes. */
export function resultsAnswer(result: WriteResult, withMeta: boolean): RawJson {
  const results = result.written.map(written => writtenText(written, '')).join(',')
  return raw(`{"results":[${results}],"revision":${result.revision}${withMeta ? reached(result) : ''}}`)
}

function metaText({ version, updatedAtMs, expiresAtMs }: Item): string {
  const expiry = expiresAtMs === undefined ? '' : `,"expires_at":${expiresAtMs}`
  return `"version":${version},"updated_at":${updatedAtMs}${expiry}`
}

export function itemAnswer(item: Item | undefined, withMeta: boolean): RawJson | undefined {
  if (item === undefined) return undefined
  return withMeta ? raw(`{"value":${item.value},${metaText(item)}}`) : new RawJson(item.value)
}

export type ListForm = 'values' | 'items' | 'keys'

export function pageAnswer({ items, cursor }: ItemPage, form: ListForm): RawJson {
  if (form === 'values') return raw(`[${items.map(({ value }) => value).join(',')}]`)
  const next = cursor === undefined ? '' : `,"cursor":"${cursor}"`
  if (form === 'keys') return raw(`{"keys":[${items.map(({ key }) => quote(key)).join(',')}]${next}}`)
  const rows = items.map(item => `{"key":${quote(item.key)},"value":${item.value},${metaText(item)}}`)
  return raw(`{"items":[${rows.join(',')}]${next}}`)
}

/** `found`: one more than `limit` if there is a further page. */
export function groupsAnswer(found: readonly string[], limit: number): RawJson {
  const groups = found.slice(0, limit)
  const last = groups.at(-1)
  const goesOn = groups.length < found.length && last !== undefined
  const cursor = goesOn ? Buffer.from(last).toString('base64url') : undefined
  return new RawJson(toJsonText({ groups, cursor }))
}

export function watchAnswer(changes: readonly StateChange[], revision: number): RawJson {
  const events = changes.map(
    change => `{"revision":${change.revision},"at":${change.atMs},${eventMembers(change)}}`,
  )
  return raw(`{"events":[${events.join(',')}],"revision":${revision}}`)
}

/** What functions of triggers are called with. */
export function eventText(change: StateChange): JsonText {
  return asJsonText(`{"type":"state",${eventMembers(change)}}`)
}

function eventMembers({ event, scope, key, oldValue, newValue, reason }: StateChange): string {
  const why = reason === undefined ? '' : `,"reason":"${reason}"`
  return `"event_type":"state:${event}","scope":${quote(scope)},"key":${quote(key)},"old_value":${oldValue ?? JSON_NULL},"new_value":${newValue ?? JSON_NULL}${why}`
}
