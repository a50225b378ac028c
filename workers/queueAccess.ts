import type { Cause } from '../src/storage/change.ts'
import type { QueueCommand } from '../src/storage/queue/command.ts'
import type { Members, Refuse } from './fields.ts'

/**
 * Queues that are kept where another worker's things are: it may put messages into them in its own transactions. Filled in by
 * the worker of the queues when it serves.
 */
export interface QueueAccess {
  /** The messages of an input like that of `queue::push`. Absent: nobody serves queues there. */
  messagesOf?:
    | ((members: Members, refuse: Refuse, cause: Cause | undefined) => readonly QueueCommand[])
    | undefined
}
