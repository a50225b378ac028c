/** The end of `put` and `update`: a value is stored, and told. */
import type { JsonText } from '../../protocol/jsonText.ts'
import { limits } from '../../protocol/limits.ts'
import type { Answer, Collection, OperationError } from '../command.ts'
import { StorageError } from '../storageError.ts'
import { storableJson } from '../text.ts'
import type { ApplyContext } from './context.ts'
import { type Current, clearExpired } from './current.ts'

const NO_ERRORS: readonly OperationError[] = []

export interface NewValue {
  readonly value: JsonText
  readonly expiresAtMs: number | undefined
  readonly errors?: readonly OperationError[]
  readonly isQuiet?: boolean | undefined
}

export function writeValue(
  context: ApplyContext,
  collection: Collection,
  key: string,
  { entry, expired }: Current,
  { value: given, expiresAtMs, errors = NO_ERRORS, isQuiet = false }: NewValue,
): Answer {
  const value = storableJson(given)
  requireSize(value)
  if (expired !== undefined) clearExpired(context, collection, expired)
  const revision = context.nextRevision()
  const dueMs = expiresAtMs === undefined ? undefined : Math.ceil(expiresAtMs)
  context.tables.put(collection, {
    key,
    value,
    version: revision,
    createdAt: entry?.createdAt ?? revision,
    updatedAtMs: context.nowMs,
    expiresAtMs: dueMs,
  })
  context.emit({
    revision,
    atMs: context.nowMs,
    space: collection.space,
    name: collection.name,
    group: collection.group,
    key,
    event: entry === undefined ? 'created' : 'updated',
    reason: undefined,
    oldValue: isQuiet ? undefined : entry?.value,
    newValue: value,
    type: undefined,
    expiresAtMs: dueMs,
  })
  return { oldValue: entry?.value, newValue: value, version: revision, errors }
}

function requireSize(value: JsonText): void {
  if (value.length * 3 <= limits.valueBytes) return
  const bytes = Buffer.byteLength(value)
  if (bytes <= limits.valueBytes) return
  throw new StorageError(
    'VALUE_TOO_LARGE',
    `The value has ${bytes} bytes, the most are ${limits.valueBytes}: a message has to hold it before and after a change. Keep it in parts, under several keys.`,
  )
}
