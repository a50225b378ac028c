/**
 * The store half of the stream worker: stands where its items are kept, has the `stream::*` functions and the trigger types.
 * The clients' sockets are in the other half (`gateway/worker.ts`), of which there may be many.
 *
 *     stream::set ──▶ store ──▶ committed ──▶ events ─┬─▶ one parcel to all gateways with clients of the group
 *                                                     └─▶ triggers
 */
import type { RawJson } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import { createDeliveries } from '../../src/delivery/deliveries.ts'
import { depthOf, withDepth } from '../../src/delivery/depth.ts'
import type { Log } from '../../src/log/log.ts'
import type { Cause } from '../../src/storage/change.ts'
import type { BuiltInWorker } from '../worker.ts'
import { createAdmission } from './admission.ts'
import { createClients } from './clients.ts'
import type { StreamConfig } from './config.ts'
import { createCustom } from './custom.ts'
import { createFanOut } from './fanOut.ts'
import { shapes } from './formats.ts'
import { registerFunctions } from './functions.ts'
import { createLeaving } from './leaving.ts'
import { messageOf } from './messages.ts'
import { createOpening } from './opening.ts'
import { PRESENCE, presence } from './presence.ts'
import type { StreamEvent, StreamStore } from './store.ts'
import { createSubscriptions } from './subscriptions.ts'
import { createTriggers, definitions, type TypeName } from './triggers.ts'

const STATS = 'stream::stats'

export interface StreamWorkerParts {
  readonly store: StreamStore
  readonly clock: Clock
  /** The clock on the wall, milliseconds: items expire by it. */
  readonly wallClock: () => number
  readonly log: Log
  readonly newId: () => string
  /** Of `idIn`. */
  readonly process?: string | undefined
  /** Whether a function is there now, in the default namespace. Absent: the engine is asked. */
  readonly hasFunction?: ((id: string) => boolean) | undefined
}

/** Streams of developers' tools watch traces; they are no part of them. How deep they lie in a chain stays known. */
const UNTRACED = 'iii:devtools:'

function causeOf({ stream, cause }: StreamEvent): Cause | undefined {
  if (cause === undefined || !stream.startsWith(UNTRACED)) return cause
  return { traceparent: undefined, baggage: withDepth(undefined, depthOf(cause.baggage)) }
}

export function createStreamWorker(config: StreamConfig, parts: StreamWorkerParts): BuiltInWorker {
  const { store, clock, wallClock, log, newId, process, hasFunction } = parts
  return {
    name: 'iii-stream',
    description: 'Keeps items of streams and tells clients and triggers of their changes',
    async start(client) {
      const deliveries = createDeliveries(client, {
        clock,
        log,
        limits: { deliveryDepth: config.depth_limit },
      })
      const key = newId()
      const subscriptions = createSubscriptions()
      const custom = createCustom(client, hasFunction)
      const triggersOf = (type: TypeName) => {
        const triggers = createTriggers(type, deliveries)
        client.registerTriggerType(definitions[type], triggers.provider)
        return triggers
      }
      const changes = triggersOf('stream')
      const joins = triggersOf('stream:join')
      const leaves = triggersOf('stream:leave')
      const admission = createAdmission({
        client,
        triggers: joins,
        failClosed: config.auth_fail_closed,
        timeoutMs: config.auth_timeout_ms,
        log,
      })
      const leave = createLeaving({ subscriptions, leaves, deliveries })
      const open = createOpening({ client, subscriptions, leave, store, custom, clock, log, key })
      const clients = createClients({
        client,
        subscriptions,
        admission,
        open,
        leave,
        clock,
        key,
        process,
      })
      const fanOut = createFanOut({ client, subscriptions, clock, key })
      registerFunctions(client, { store, custom, wallClock, config })
      client.registerFunction<RawJson>(PRESENCE, given => presence(subscriptions, given), {
        description: 'Lists who is subscribed to streams',
        request_format: shapes[PRESENCE].format,
        rawInput: true,
      })
      client.registerFunction(
        STATS,
        async () => ({ subscriptions: subscriptions.count(), gateways: await clients.counters() }),
        { description: 'Tells how many clients streams have, and what became of their messages' },
      )
      const stopFollowing = store.follow(events => {
        fanOut(events)
        if (changes.size() === 0) return
        for (const event of events) {
          const concerned = changes.about(event).map(({ delivery }) => delivery)
          if (concerned.length > 0)
            deliveries.deliver(concerned, { data: messageOf(event), cause: causeOf(event) })
        }
      })
      await client.ready()
      return {
        addresses: {},
        async drain() {
          clients.drain()
          await deliveries.idle()
        },
        async stop() {
          stopFollowing()
        },
      }
    },
  }
}
