/**
 * The built-in worker `configuration`: named values with a schema, in files that people can edit.
 *
 *     configuration::set ──▶ functions.ts ──▶ registry.ts ──▶ decide.ts (pure) ──▶ store.ts ──▶ <id>.yaml
 *                                                  └──▶ watches.ts ──▶ functions of triggers
 */
import { resolve } from 'node:path'
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { Clock } from '../../src/clock/clock.ts'
import { createDeliveries } from '../../src/delivery/deliveries.ts'
import { registerTriggerList } from '../../src/delivery/list.ts'
import type { Log } from '../../src/log/log.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { BuiltInWorker } from '../worker.ts'
import type { ConfigurationConfig } from './config.ts'
import { createDocuments, type Documents, type ReadDocument } from './document.ts'
import type { Environment } from './expand.ts'
import { createExpiry } from './expiry.ts'
import type { Files } from './files.ts'
import { type FindCaller, registerFunctions } from './functions.ts'
import { createReading } from './reading.ts'
import { createRegistry } from './registry.ts'
import type { Seed } from './seed.ts'
import { createStore } from './store.ts'
import { configurationTriggerType, payloadOf } from './trigger.ts'
import { createCheck } from './validate.ts'
import { createWatches } from './watches.ts'
import { watchFolder } from './watching.ts'

export interface ConfigurationParts {
  readonly files: Files
  /** What a relative `directory` is relative to. */
  readonly folder: string
  readonly env: Environment
  readonly findCaller: FindCaller
  /** Settings of built-in workers that may change while they run. */
  readonly seeds?: readonly Seed[]
  /** Loaded with the first entry: the YAML library takes its time. */
  readonly loadReader: () => Promise<ReadDocument>
  readonly clock: Clock
  readonly log: Log
}

export function createConfigurationWorker(
  { adapter, ttl_seconds, history, reveal_to }: ConfigurationConfig,
  { files, folder, env, findCaller, seeds: given = [], loadReader, clock, log }: ConfigurationParts,
): BuiltInWorker {
  return {
    name: 'configuration',
    description: 'Keeps named configuration values, checks them against their schemas and tells of changes',
    async start(client) {
      const directory = resolve(folder, adapter.config.directory)
      const store = createStore({ files, directory, log })
      const seeds = new Map(given.map(seed => [seed.id, seed]))
      const reading = createReading({ env, seeds, check: createCheck(() => performance.now()) })
      const deliveries = createDeliveries(client, { clock, log })
      const watches = createWatches(deliveries)
      let documents: Promise<Documents> | undefined
      const registry = createRegistry({
        store,
        documents() {
          documents ??= Promise.all([import('yaml'), loadReader()]).then(([yaml, read]) =>
            createDocuments(yaml, read),
          )
          return documents
        },
        reading,
        seeds,
        history: { values: history, bytes: limits.configurationHistoryBytes },
        bounds: {
          entries: limits.configurationEntries,
          deleted: limits.configurationTombstones,
          characters: limits.configurationCharacters,
        },
        clock,
        log,
        tell(event, cause) {
          watching.begin()
          const wanting = watches.wanting(event)
          if (wanting.length > 0) deliveries.deliver(wanting, { data: payloadOf(event, reading), cause })
        },
      })
      const watching = watchFolder({ store, clock, look: id => registry.lookAgain(id) })
      const expiry = createExpiry({
        ttlMs: ttl_seconds * 1000,
        clock,
        ids: () => registry.entries().flatMap(({ id }) => (seeds.has(id) ? [] : [id])),
        isWatched: watches.isWatched,
        expired(id) {
          // What is being written meanwhile is used.
          registry.delete(id, registry.find(id)?.revision, { author: 'engine' }).catch(error => {
            if (error instanceof HandlerError && error.code === 'REVISION_CONFLICT') return
            log.warn('a configuration could not be deleted', { id, error })
          })
        },
      })
      await registry.load()
      if (registry.entries().some(({ id }) => registry.isStored(id))) watching.begin()
      const revealTo = new Set(reveal_to)
      registerFunctions(client, { registry, reading, seeds, findCaller, revealTo, used: expiry.used })
      registerTriggerList(client, 'configuration::triggers', deliveries)
      const registration = client.registerTriggerType(configurationTriggerType, watches.provider)
      await client.ready()
      return {
        addresses: {},
        async drain() {
          await registry.idle()
          await deliveries.idle()
        },
        async stop() {
          registration.unregister()
          watching.stop()
          expiry.stop()
          await registry.idle()
        },
      }
    },
  }
}
