/** The built-in worker `iii-cron`: functions that are called at the times of cron expressions. */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { Binding, TriggerProvider } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import { createDeliveries, type Deliveries } from '../../src/delivery/deliveries.ts'
import type { Log } from '../../src/log/log.ts'
import { createSettings } from '../settings.ts'
import type { BuiltInWorker } from '../worker.ts'
import type { CronConfig } from './config.ts'
import { registerFunctions } from './functions.ts'
import { createSchedules, type Schedules } from './schedules.ts'
import type { CronStore } from './store.ts'
import { cronTriggerType, parseCronTrigger } from './trigger.ts'

export interface CronParts {
  readonly store: CronStore
  readonly clock: Clock
  /** The clock on the wall, milliseconds: schedules go by it. */
  readonly wallClock: () => number
  readonly log: Log
  /** Of a process beside the engine. */
  readonly process?: string
}

export function createCronWorker(
  config: CronConfig,
  { store, clock, wallClock, log, process }: CronParts,
): BuiltInWorker {
  return {
    name: 'iii-cron',
    description: 'Calls functions at the times of cron expressions',
    async start(client) {
      const isAlone = process !== undefined
      const settings = createSettings<CronConfig>({ client, id: 'iii-cron', isAlone, clock, log })
      let current = (await settings.begin()) ?? config
      const deliveries = createDeliveries(client, { clock, log })
      const schedules = createSchedules({ deliveries, store, clock, wallClock, log })
      await schedules.load()
      if (config.adapter.config.store_method === 'in_memory')
        log.warn(
          'what schedules have done is kept in memory: a restart knows of nothing (store_method: in_memory)',
        )
      registerFunctions(client, { schedules, wallClock })
      const provider = createProvider(deliveries, schedules, () => current.timeout_ms, wallClock)
      client.registerTriggerType(cronTriggerType, provider)
      settings.follow(config => {
        current = config
      })
      await client.ready()
      return {
        addresses: {},
        drain: () => schedules.drain(),
        async stop() {
          settings.stop()
          schedules.stop()
        },
      }
    },
  }
}

function createProvider(
  deliveries: Pick<Deliveries, 'remark'>,
  schedules: Schedules,
  timeoutMs: () => number,
  wallClock: () => number,
): TriggerProvider {
  return {
    bind(binding) {
      const { id } = binding
      const known = schedules.member(id)
      // Clients register the same again when they have been away: that changes nothing.
      if (known !== undefined && isSame(known.subscription.binding, binding)) return known.job.warnings
      if (known !== undefined)
        throw new HandlerError('trigger_registration_failed', `Cron job '${id}' is already registered`, {
          kept: true,
        })
      const job = parseCronTrigger(binding, timeoutMs, wallClock())
      schedules.add(binding, job)
      return deliveries.remark(binding, job.warnings)
    },
    unbind: binding => schedules.remove(binding.id),
  }
}

const SAID = ['function_id', 'namespace', 'config', 'metadata'] as const

const isSame = (one: Binding, other: Binding): boolean => SAID.every(part => one[part] === other[part])
