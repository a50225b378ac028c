/** A function of a built-in that tells how the deliveries of its triggers go. */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { WorkerClient } from '../../sdk/typescript/src/worker.ts'
import { limits } from '../protocol/limits.ts'
import type { Deliveries, Subscription } from './deliveries.ts'

const USUAL_ROWS = 100

/** What was delivered to a trigger and what was not; times in milliseconds since 1970. */
export function deliveryRow(subscription: Subscription) {
  const { counters } = subscription
  const { messages, bytes } = subscription.waiting()
  return {
    delivered: counters.delivered,
    failed: counters.failed,
    dropped: counters.dropped,
    skipped: counters.skipped,
    waiting: messages,
    waiting_bytes: bytes,
    last_fired_at: counters.lastFiredMs ?? null,
    last_error: counters.lastError ?? null,
  }
}

function rowOf(subscription: Subscription) {
  const { id, trigger_type, function_id, namespace } = subscription.binding
  const about = { id, trigger_type, function_id, namespace: namespace ?? 'default' }
  return { ...about, ...deliveryRow(subscription) }
}

/** Its input: `{limit?}`. Its answer: `{triggers: […], total}`, in the order in which they came. */
export function registerTriggerList(client: WorkerClient, functionId: string, deliveries: Deliveries): void {
  const most = limits.subscriptionRows
  client.registerFunction<{ limit?: unknown } | null>(
    functionId,
    input => {
      const limit = Number(input?.limit ?? USUAL_ROWS)
      if (!Number.isInteger(limit) || limit < 1 || limit > most) {
        const why = `field \`limit\`: expected a whole number from 1 to ${most}`
        throw new HandlerError(
          'deserialization_error',
          `Failed to deserialize input for ${functionId}: ${why}`,
        )
      }
      const all = [...deliveries.all()]
      return { triggers: all.slice(0, limit).map(rowOf), total: all.length }
    },
    {
      description: 'Lists the triggers of this worker, with what was delivered and dropped',
      request_format: {
        type: 'object',
        properties: {
          limit: {
            type: 'integer',
            minimum: 1,
            maximum: most,
            description: `rows; ${USUAL_ROWS} without it`,
          },
        },
      },
    },
  )
}
