/** The codes of queues, a part of the catalogue in `errors.ts`. */
import type { ErrorEntry } from './errors.ts'

const EMPTY = 'A name that has to be there is an empty text.'

/** Codes of functions that fail for a reason that has no code of its own. */
const failed = (does: string): ErrorEntry => ({
  where: ['call'],
  cause: `${does} failed for a reason of the store; the message says which.`,
  fix: 'Look at the log of the engine.',
})

export const queueErrors = {
  queue_not_found: {
    where: ['call'],
    cause:
      'A message that names a function, or whose result is to be kept, was sent to a queue that is not in the configuration.',
    fix: 'Add it to `queue_configs` of iii-queue, or use `default`, which is always there.',
  },
  queue_full: {
    where: ['call'],
    cause: 'The queue has as many messages, or as many bytes of them, as it may have.',
    fix: 'Publish again when some are done; raise the bound of the queue, or declare it lossy.',
  },
  message_group_missing: {
    where: ['call'],
    cause:
      'The data lacks the member that says which group a message of a fifo queue belongs to, or it is null.',
    fix: 'Send it, or change `message_group_field` of the queue.',
  },
  queue_not_set: { where: ['call'], cause: EMPTY, fix: 'Name a queue or a topic.' },
  topic_required: { where: ['call'], cause: EMPTY, fix: 'Name a queue or a topic.' },
  message_id_not_set: { where: ['call'], cause: EMPTY, fix: 'Give the receipt of a message.' },
  lease_not_set: { where: ['call'], cause: EMPTY, fix: 'Give the `lease_id` that came with the message.' },
  RESULT_TOO_LARGE: {
    where: ['call'],
    cause: 'The message is done; what its handler has returned is larger than what is kept.',
    fix: 'Let the handler keep it elsewhere, in the state for example, and return its name.',
  },
  lease_over: {
    where: ['call'],
    cause:
      'The lease that was shown is over, of another message, or of another start of the engine. Nothing was changed.',
    fix: 'Nothing: the message is with somebody else, or done. Extend leases of long work with `queue::extend`.',
  },
  lease_expired: {
    where: ['message'],
    cause: 'A handler took longer than its lease; that attempt has failed.',
    fix: 'Extend the lease while the handler works, or give the queue a longer one.',
  },
  consumer_gone: {
    where: ['message'],
    cause:
      'The worker that had taken the message with `queue::pop` has disconnected; that attempt has failed. Of a called one it is `invocation_stopped`.',
    fix: 'If it happens with each attempt, the message ends its workers: look at it with `queue::message`.',
  },
  publish_failed: failed('`iii::durable::publish`'),
  enqueue_failed: failed('`engine::queue::enqueue`'),
  push_failed: failed('`queue::push`'),
  pop_failed: failed('`queue::pop`'),
  ack_failed: failed('`queue::ack`'),
  nack_failed: failed('`queue::nack`'),
  release_failed: failed('`queue::release`'),
  extend_failed: failed('`queue::extend`'),
  pause_failed: failed('`queue::pause`'),
  resume_failed: failed('`queue::resume`'),
  purge_failed: failed('`queue::purge`'),
  cancel_failed: failed('`queue::cancel`'),
  message_failed: failed('`queue::message`'),
  messages_failed: failed('`queue::messages`'),
  result_failed: failed('`queue::result`'),
  progress_failed: failed('`queue::progress`'),
  list_failed: failed('`queue::list`'),
  stats_failed: failed('`queue::stats`'),
  redrive_failed: failed('`iii::queue::redrive`'),
  redrive_message_failed: failed('`iii::queue::redrive_message`'),
  discard_message_failed: failed('`iii::queue::discard_message`'),
  list_topics_failed: failed('`engine::queue::list_topics`'),
  topic_stats_failed: failed('`engine::queue::topic_stats`'),
  dlq_topics_failed: failed('`engine::queue::dlq_topics`'),
  dlq_messages_failed: failed('`engine::queue::dlq_messages`'),
} as const satisfies Record<string, ErrorEntry>
