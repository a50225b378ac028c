/** The commands that publish messages: the partition's own, which others may have in a transaction of theirs. */
import type { EnqueueCommand, QueueCommand } from '../../src/storage/queue/command.ts'
import type { Publish } from './backend.ts'

function enqueueCommand(publish: Publish): EnqueueCommand {
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

/** Those of one message; only the last one has a receipt in its answer. */
function commandsOf(publish: Publish): QueueCommand[] {
  const { queue, receipt, replaces } = publish
  const command = enqueueCommand(publish)
  if (replaces !== true || receipt === undefined) return [command]
  return [{ command: 'cancel', receipt }, { command: 'discard', queue, receipt }, command]
}

export const publishCommands = (messages: readonly Publish[]): QueueCommand[] => messages.flatMap(commandsOf)
