/** `iii-pubsub::subscriptions`: who has subscribed, and how that goes. */
import { z } from 'zod'
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import { deliveryRow } from '../../src/delivery/list.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Subscriber, Subscriptions } from './subscriptions.ts'

export const SUBSCRIPTIONS = 'iii-pubsub::subscriptions'

const listInput = z.object({
  topic: z.string().nullish().describe('only those with this topic or pattern, as it is in the trigger'),
  limit: z.int().min(1).max(limits.subscriptionRows).nullish().describe('rows; 100 without it'),
})

export const listFormat: unknown = z.toJSONSchema(listInput, { io: 'input' })

const USUAL_ROWS = 100

function rowOf({ subscription, pattern, group }: Subscriber) {
  const { id, binding } = subscription
  return {
    id,
    topic: pattern ?? null,
    ...(group === undefined ? {} : { group }),
    function_id: binding.function_id,
    namespace: binding.namespace ?? 'default',
    ...deliveryRow(subscription),
  }
}

/** Returns `{subscriptions: […], total}`, in the order in which they came. */
export function listSubscriptions(subscriptions: Subscriptions, input: unknown): unknown {
  const result = listInput.safeParse(input ?? {})
  if (!result.success) {
    const [issue] = result.error.issues
    const where = issue?.path.length ? `field \`${issue.path.join('.')}\`: ` : ''
    const detail = `${where}${issue?.message ?? 'unreadable'}`
    const message = `Failed to deserialize input for ${SUBSCRIPTIONS}: ${detail}`
    throw new HandlerError('deserialization_error', message)
  }
  const { topic, limit } = result.data
  const all = [...subscriptions.all()].filter(({ pattern }) => topic == null || pattern === topic)
  return { subscriptions: all.slice(0, limit ?? USUAL_ROWS).map(rowOf), total: all.length }
}
