/** The built-in worker `iii-state`: values under keys, and triggers that fire when they are written. */
import type { Clock } from '../../src/clock/clock.ts'
import { createDeliveries } from '../../src/delivery/deliveries.ts'
import { registerTriggerList } from '../../src/delivery/list.ts'
import type { Log } from '../../src/log/log.ts'
import { createBoundedTally, shortened } from '../../src/log/notices.ts'
import { asJsonText, quote } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { QueueAccess } from '../queueAccess.ts'
import type { BuiltInWorker } from '../worker.ts'
import type { StateConfig } from './config.ts'
import { registerFunctions } from './functions.ts'
import type { Publication, StateStore } from './store.ts'
import { provideTriggers } from './triggers.ts'
import { createWatch } from './watch.ts'

/** Messages of transactions go the way of all messages. */
const PUBLISH = { functionId: 'publish', namespace: undefined, metadata: undefined }

export interface StateParts {
  readonly store: StateStore
  readonly clock: Clock
  /** The clock on the wall, milliseconds: values expire by it. */
  readonly wallClock: () => number
  readonly log: Log
  /** Streams are kept in the same store. */
  readonly streams?: boolean
  /** Queues are kept in the same store. */
  readonly queues?: QueueAccess
  /** Whether somebody answers a function of the default namespace now. Absent: not known. */
  readonly hasFunction?: (id: string) => boolean
}

export function createStateWorker(
  config: StateConfig,
  { store, clock, wallClock, log, streams = false, queues, hasFunction }: StateParts,
): BuiltInWorker {
  return {
    name: 'iii-state',
    description: 'Values under keys, with triggers that fire when they are written',
    async start(client) {
      const watch = createWatch(store, clock, more => client.wait(more))
      const functions = registerFunctions(client, {
        store,
        watch,
        config,
        beyond: { streams, queues, hasFunction },
        wallClock,
      })
      const deliveries = createDeliveries(client, {
        clock,
        log,
        limits: { deliveryDepth: config.depth_limit },
      })
      registerTriggerList(client, 'iii-state::triggers', deliveries)
      const triggers = provideTriggers(client, deliveries, config.triggers_enabled)
      const tally = createBoundedTally(limits.deliveryNotices)
      function publish({ topic, data, cause }: Publication): void {
        function lost(_: number, error: string): void {
          const about = { topic: shortened(topic), error }
          const count = tally(about.topic)
          if (count !== undefined)
            log.warn('a message of a transaction was not published', { ...about, count })
        }
        const told = client.tellAll([PUBLISH], asJsonText(`{"topic":${quote(topic)},"data":${data}}`), {
          ...cause,
          lost,
        })
        if (!told) lost(0, 'the engine stops')
      }
      const unfollow = store.follow((changes, publications) => {
        triggers.fire(changes)
        for (const publication of publications) publish(publication)
      })
      if (config.adapter.config.store_method === 'in_memory') {
        log.warn('the state is kept in memory: it is gone when the engine ends (store_method: in_memory)')
      }
      await client.ready()
      return {
        addresses: {},
        async drain() {
          watch.end()
          await functions.idle()
          await deliveries.idle()
        },
        async stop() {
          watch.end()
          unfollow()
        },
      }
    },
  }
}
