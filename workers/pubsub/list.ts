/** `iii-pubsub::subscriptions`: who has subscribed, and how that goes. */
import { z } from 'zod'
import { deliveryRow } from '../../src/delivery/list.ts'
import { limits } from '../../src/protocol/limits.ts'
import { readInput, requestFormat } from '../zodInput.ts'
import type { Subscriber, Subscriptions } from './subscriptions.ts'

export const SUBSCRIPTIONS = 'iii-pubsub::subscriptions'

const listInput = z.object({
  topic: z.string().nullish().describe('only those with this topic or pattern, as it is in the trigger'),
  limit: z.int().min(1).max(limits.subscriptionRows).nullish().describe('rows; 100 without it'),
})

export const listFormat = requestFormat(listInput)

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
  const { topic, limit } = readInput(SUBSCRIPTIONS, listInput, input)
  const all = [...subscriptions.all()].filter(({ pattern }) => topic == null || pattern === topic)
  return { subscriptions: all.slice(0, limit ?? USUAL_ROWS).map(rowOf), total: all.length }
}
