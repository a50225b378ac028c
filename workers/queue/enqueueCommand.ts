/** The command that publishes a message: the partition's own, which others may have in a transaction of theirs. */
import type { EnqueueCommand } from '../../src/storage/queue/command.ts'
import type { Publish } from './backend.ts'

export function enqueueCommand(publish: Publish): EnqueueCommand {
  const { queue, functionId, namespace, data, metadata, receipt, group, priority, dueAtMs, dedupe } = publish
  const { traceparent, baggage } = publish
  return {
    command: 'enqueue',
    queue,
    functionId,
    namespace,
    data,
    metadata,
    receipt,
    group,
    priority,
    dueAtMs,
    dedupe,
    traceparent,
    baggage,
  }
}
