import type { JsonText } from '../../protocol/jsonText.ts'
import type { Answer, UpdateCommand } from '../command.ts'
import { StorageError } from '../storageError.ts'
import { applyOperations } from '../update/apply.ts'
import type { ApplyContext } from './context.ts'
import { checkVersion, currentEntry } from './current.ts'
import { writeValue } from './write.ts'

export function update(command: UpdateCommand, context: ApplyContext): Answer {
  const { collection, key } = command
  const current = currentEntry(context, collection, key)
  checkVersion(current.entry, command.ifVersion)
  const { value, errors } = applyOperations(current.entry?.value, command.operations)
  checkSize(value, command.maxValueBytes)
  const expiresAtMs = command.expiresAtMs ?? current.entry?.expiresAtMs
  return writeValue(context, collection, key, current, { value, expiresAtMs, errors })
}

function checkSize(value: JsonText, most: number | undefined): void {
  if (most === undefined) return
  const bytes = Buffer.byteLength(value)
  if (bytes <= most) return
  throw new StorageError(
    'VALUE_TOO_LARGE',
    `value of ${bytes} bytes exceeds the configured max_value_bytes limit of ${most}`,
  )
}
