import type { Answer, PutCommand } from '../command.ts'
import type { ApplyContext } from './context.ts'
import { checkVersion, currentEntry } from './current.ts'
import { writeValue } from './write.ts'

export function put(
  { collection, key, ifVersion, value, expiresAtMs, isQuiet }: PutCommand,
  context: ApplyContext,
): Answer {
  const current = currentEntry(context, collection, key)
  checkVersion(current.entry, ifVersion)
  return writeValue(context, collection, key, current, { value, expiresAtMs, isQuiet })
}
