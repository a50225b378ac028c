/** The command that publishes a message: the partition's own, which others may have in a transaction of theirs. */
import type { EnqueueCommand } from '../../src/storage/queue/command.ts'
import type { Publish } from './backend.ts'

export const enqueueCommand = ({ dueAtMs, ...publish }: Publish): EnqueueCommand => ({
  command: 'enqueue',
  ...publish,
  dueAtMs: dueAtMs === undefined ? undefined : Math.ceil(dueAtMs),
})
