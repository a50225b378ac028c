/**
 * What each command does: it looks at the tables, changes them and says what it did. A command that is refused throws
 * before it has changed anything; only of several commands in one transaction something has to be undone.
 */
import type { Answer, Command } from '../command.ts'
import type { ApplyContext } from './context.ts'
import { publish } from './publish.ts'
import { put } from './put.ts'
import { queue } from './queue.ts'
import { remove } from './remove.ts'
import { tell } from './tell.ts'
import { update } from './update.ts'

/** Throws a `StorageError` when the command is refused. */
export function apply(command: Command, context: ApplyContext): Answer {
  switch (command.command) {
    case 'put':
      return put(command, context)
    case 'remove':
      return remove(command, context)
    case 'update':
      return update(command, context)
    case 'tell':
      return tell(command, context)
    case 'publish':
      return publish(command, context)
    default:
      return queue(command, context)
  }
}
