/** What each command of a queue does. A command that is refused throws before it has changed anything. */
import { adopt } from './adopt.ts'
import { cancel } from './cancel.ts'
import type { QueueAnswer, QueueCommand } from './command.ts'
import { configure, pause } from './configure.ts'
import type { QueueContext } from './context.ts'
import { discard } from './discard.ts'
import { drop } from './drop.ts'
import { enqueue } from './enqueue.ts'
import { fail } from './fail.ts'
import { finish } from './finish.ts'
import { purge } from './purge.ts'
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
    case 'cancel':
      return cancel(command, context)
    case 'purge':
      return purge(command, context)
    case 'configure':
      return configure(command, context)
    case 'pause':
    case 'resume':
      return pause(command, context)
    case 'adopt':
      return adopt(command, context)
    case 'drop':
      return drop(command, context)
  }
}
