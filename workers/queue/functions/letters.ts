/** Functions about messages that failed for good: `iii::queue::*`, `engine::queue::dlq_*`. */
import { HandlerError } from '../../../sdk/typescript/src/errors.ts'
import { RawJson } from '../../../sdk/typescript/src/worker.ts'
import { asJsonText } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import { text, whole } from '../../fields.ts'
import type { QueueBackend } from '../backend.ts'
import { deadRow } from '../messageRow.ts'
import type { Sources } from '../sources.ts'
import type { Register } from './register.ts'

export interface LetterParts {
  readonly backend: QueueBackend
  readonly sources: Sources
}

export const which = {
  queue: text('a named queue, or a topic'),
  topic: text('the same as `queue`'),
} as const

/** A missing key is as good as no input, an empty text has a code of its own. */
export function nameOf(
  { queue, topic }: { readonly queue: string | undefined; readonly topic: string | undefined },
  refuse: (why: string) => never,
  code: string,
  message: string,
): string {
  const name = queue ?? topic ?? refuse('missing field `queue`')
  if (name === '') throw new HandlerError(code, message)
  return name
}

export function registerLetters(register: Register, { backend, sources }: LetterParts): void {
  for (const [action, does] of [
    ['redrive', 'Tries a dead message again'],
    ['discard', 'Removes a dead message'],
  ] as const) {
    const id = `iii::queue::${action}_message`
    register({
      id,
      description: does,
      fields: { ...which, message_id: text('its receipt') },
      failure: `${action}_message_failed`,
      async run(input, _, refuse) {
        const queue = nameOf(input, refuse, 'queue_not_set', 'Queue name is required')
        const receipt = input.message_id ?? refuse('missing field `message_id`')
        if (receipt === '') throw new HandlerError('message_id_not_set', 'Message ID is required')
        let redriven = 0
        for (const kept of sources.queuesOf(queue)) {
          redriven +=
            action === 'redrive'
              ? await backend.redrive(kept, { receipt })
              : await backend.discard(kept, receipt)
          if (redriven > 0) break
        }
        return { queue, message_id: receipt, redriven }
      },
    })
  }

  register({
    id: 'engine::queue::dlq_messages',
    description: 'Lists the dead messages of a queue, the latest first, with what went wrong',
    fields: {
      ...which,
      offset: whole('rows to leave out', 0, limits.queueOffset),
      limit: whole('rows; 50 without it', 1, limits.queuePage),
    },
    failure: 'dlq_messages_failed',
    async run(input, _, refuse) {
      const name = nameOf(input, refuse, 'topic_required', 'topic is required')
      const { offset = 0, limit = 50 } = input
      const page = await backend.dead(sources.queuesOf(name), offset, limit)
      const rows = page.map(deadRow)
      return new RawJson(asJsonText(`[${rows.join(',')}]`))
    },
  })
}
