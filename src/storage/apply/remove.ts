import type { Answer, RemoveCommand } from '../command.ts'
import type { ApplyContext } from './context.ts'
import { checkVersion, clearExpired, currentEntry } from './current.ts'

export function remove(command: RemoveCommand, context: ApplyContext): Answer {
  const { collection, key } = command
  const { entry, expired } = currentEntry(context, collection, key)
  checkVersion(entry, command.ifVersion)
  if (expired !== undefined) clearExpired(context, collection, expired)
  if (entry !== undefined) context.tables.remove(collection, key)
  if (entry !== undefined || command.tellsMissing) {
    context.emit({
      revision: context.nextRevision(),
      atMs: context.nowMs,
      space: collection.space,
      name: collection.name,
      group: collection.group,
      key,
      event: 'deleted',
      reason: undefined,
      oldValue: entry?.value,
      newValue: undefined,
      type: undefined,
    })
  }
  return { oldValue: entry?.value, newValue: undefined, version: 0, errors: [] }
}
