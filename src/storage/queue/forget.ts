/** Names of queues and lanes do not stay for ever: a program may have a queue for each thing that it does. */
import type { QueueContext } from './context.ts'

/** For each that is made, so many are looked at: those that hold nothing become fewer then. */
const LOOKS = 2

/** A lane of this queue was made, and maybe the queue. */
export function forgetIdle({ tables, tell }: QueueContext, made: string): void {
  for (const lane of tables.idleLanes(made, LOOKS)) tables.dropLane(lane)
  for (const queue of tables.idleQueues(LOOKS)) {
    tables.dropQueue(queue)
    tell({ event: 'dropped', queue })
  }
}
