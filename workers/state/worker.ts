/** The built-in worker `iii-state`: values under keys, and triggers that fire when they are written. */
import type { Clock } from '../../src/clock/clock.ts'
import { createDeliveries } from '../../src/delivery/deliveries.ts'
import type { Log } from '../../src/log/log.ts'
import { asJsonText, quote } from '../../src/protocol/jsonText.ts'
import type { BuiltInWorker } from '../worker.ts'
import type { StateConfig } from './config.ts'
import { registerFunctions } from './functions.ts'
import type { StateStore } from './store.ts'
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
}

export function createStateWorker(
  config: StateConfig,
  { store, clock, wallClock, log }: StateParts,
): BuiltInWorker {
  return {
    name: 'iii-state',
    description: 'Values under keys, with triggers that fire when they are written',
    async start(client) {
      const watch = createWatch(store, clock, more => client.wait(more))
      const functions = registerFunctions(client, { store, watch, config, wallClock })
      const deliveries = createDeliveries(client, {
        clock,
        log,
        limits: { deliveryDepth: config.depth_limit },
      })
      const triggers = provideTriggers(client, deliveries, config.triggers_enabled)
      const unfollow = store.follow((changes, publications) => {
        triggers.fire(changes)
        for (const { topic, data, cause } of publications) {
          client.tellAll([PUBLISH], asJsonText(`{"topic":${quote(topic)},"data":${data}}`), cause)
        }
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
