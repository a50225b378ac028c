/** What each command of a queue does. A command that is refused throws before it has changed anything. */
import type { QueueAnswer, QueueCommand } from './command.ts'
import type { QueueContext } from './context.ts'
import { discard } from './discard.ts'
import { enqueue } from './enqueue.ts'
import { fail } from './fail.ts'
import { finish } from './finish.ts'
import { redrive } from './redrive.ts'

/** Throws a `StorageError` when the command is refused. */
export function applyToQueue(command: QueueCommand, context: QueueContext): QueueAnswer {
  switch (command.command) {
    case 'enqueue':
      return enqueue(command, context)
    case 'finish':
      return finish(command, context)
    case 'fail':
      return fail(command, context)
    case 'redrive':
      return redrive(command, context)
    case 'discard':
      return discard(command, context)
  }
}
