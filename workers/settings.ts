/**
 * Settings of a built-in worker that may change while it runs. The configuration worker has them: it checks what is set, fills in
 * every default, and its trigger says when they are others. What cannot be fetched or applied leaves those in force that were.
 *
 *     configuration::set ─▶ trigger ─▶ <worker>::on-config-change ─▶ configuration::settings ─▶ apply
 */
import type { BuiltInClient } from '../sdk/typescript/src/worker.ts'
import type { Clock } from '../src/clock/clock.ts'
import type { Log } from '../src/log/log.ts'
import { limits } from '../src/protocol/limits.ts'

export interface SettingsParts {
  readonly client: BuiltInClient
  /** Name of the worker, which is that of the entry. */
  readonly id: string
  /** A process of its own has its settings for itself: the engine's are those of another worker. */
  readonly isAlone: boolean
  readonly clock: Clock
  readonly log: Log
}

export interface Settings<Config> {
  /** Those in force; `undefined`: there are none but those of the start. */
  begin(): Promise<Config | undefined>
  /** Applies what is other than that from now on, one after the other. What `apply` rejects is tried again. */
  follow(apply: (config: Config) => void | Promise<void>): void
  stop(): void
}

interface Fetched<Config> {
  readonly config: Config
  readonly revision: number
}

/** Nobody keeps settings for this worker. */
const NONE: readonly unknown[] = ['function_not_found', 'NOT_FOUND']
/** To ask again would not help. */
const WRONG: readonly unknown[] = ['SCHEMA_INVALID', 'EXPAND_FAILED']

export function createSettings<Config>({ client, id, isAlone, clock, log }: SettingsParts): Settings<Config> {
  let revision = 0
  let isStopped = false
  let cancel = (): void => {}
  /** The one under way, and the one that comes after it for all who ask meanwhile. */
  let current: Promise<void> | undefined
  let next: Promise<void> | undefined

  async function ask(): Promise<Fetched<Config> | undefined> {
    try {
      return await client.trigger<Fetched<Config>>({
        function_id: 'configuration::settings',
        payload: { id },
        timeoutMs: limits.settingsTimeoutMs,
      })
    } catch (error) {
      if (NONE.includes((error as { code?: unknown }).code)) return undefined
      throw error
    }
  }

  function isWrong(error: unknown): void {
    log.warn('settings cannot be used; those before them stay in force', { worker: id, error: String(error) })
  }

  return {
    async begin() {
      if (isAlone) return undefined
      try {
        const fetched = await ask()
        revision = fetched?.revision ?? 0
        return fetched?.config
      } catch (error) {
        isWrong(error)
        return undefined
      }
    },

    follow(apply) {
      async function look(): Promise<void> {
        cancel()
        try {
          const fetched = await ask()
          if (fetched === undefined || fetched.revision === revision || isStopped) return
          await apply(fetched.config)
          if (revision !== 0) log.info('settings have changed', { worker: id, revision: fetched.revision })
          revision = fetched.revision
        } catch (error) {
          if (isStopped) return
          isWrong(error)
          if (WRONG.includes((error as { code?: unknown }).code)) return
          cancel = clock.after(limits.settingsRetryMs, () => void changed())
        }
      }

      function changed(): Promise<void> {
        if (current === undefined) {
          current = look().finally(() => {
            current = undefined
          })
          return current
        }
        next ??= current.then(() => {
          next = undefined
          return changed()
        })
        return next
      }

      const onChange = `${id}::on-config-change`
      client.registerFunction(onChange, () => (isAlone ? undefined : changed())?.then(answer) ?? answer(), {
        description: 'Told when the configuration of the worker changes',
        metadata: { internal: true },
      })
      if (isAlone) return
      client.registerTrigger({
        id: `${id}::config-watch`,
        type: 'configuration',
        function_id: onChange,
        config: {
          configuration_id: id,
          event_types: ['configuration:updated', 'configuration:deleted'],
        },
      })
      // What has changed since they were fetched: it is asked for behind the trigger.
      void changed()
    },

    stop() {
      isStopped = true
      cancel()
    },
  }
}

const answer = () => ({ ok: true })
