/**
 * The changes of a transaction as one text: a JSON line with a list for each change, then all values, one behind the
 * other. Values are cut out as they were written, never parsed.
 */
import { asJsonText, type JsonText } from '../../protocol/jsonText.ts'
import type { EntryChange } from '../change.ts'
import type { Space } from '../command.ts'

/**
 * Revision, time, collection, key, event, reason, type, length of the old value, and of the new one (-1: there is none), when
 * it expires.
 */
type Line = [
  number,
  number,
  Space,
  string,
  string,
  string | null,
  EntryChange['event'],
  'expired' | null,
  string | null,
  number,
  number,
  number | null,
]

export function writeChanges(changes: readonly EntryChange[]): string {
  let values = ''
  const lines = changes.map((change): Line => {
    const { oldValue, newValue } = change
    values += (oldValue ?? '') + (newValue ?? '')
    return [
      change.revision,
      change.atMs,
      change.space,
      change.name,
      change.group,
      change.key ?? null,
      change.event,
      change.reason ?? null,
      change.type ?? null,
      oldValue?.length ?? -1,
      newValue?.length ?? -1,
      change.expiresAtMs ?? null,
    ]
  })
  return `${JSON.stringify(lines)}\n${values}`
}

/** What `writeChanges` has written. */
export function readChanges(text: string): EntryChange[] {
  const end = text.indexOf('\n')
  let place = end + 1
  function value(length: number): JsonText | undefined {
    if (length < 0) return undefined
    place += length
    return asJsonText(text.slice(place - length, place))
  }
  return (JSON.parse(text.slice(0, end)) as Line[]).map(
    ([revision, atMs, space, name, group, key, event, reason, type, oldLength, newLength, expiresAtMs]) => ({
      revision,
      atMs,
      space,
      name,
      group,
      key: key ?? undefined,
      event,
      reason: reason ?? undefined,
      type: type ?? undefined,
      oldValue: value(oldLength),
      newValue: value(newLength),
      ...(expiresAtMs !== null && { expiresAtMs }),
    }),
  )
}
