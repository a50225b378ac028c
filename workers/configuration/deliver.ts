/**
 * Calls the functions of triggers, each in the order of the events. Conditions are asked first, one event after the other:
 *
 *     event ──▶ triggers that want it ──▶ no condition, nothing waits ──▶ one call to all of them
 *                                    └──▶ queue of the trigger ──▶ condition ──▶ call
 */
import type { Binding, BuiltInClient } from '../../sdk/typescript/src/worker.ts'
import type { Log } from '../../src/log/log.ts'
import { isMilestone, shortened } from '../../src/log/notices.ts'
import type { Target } from '../../src/protocol/frames.ts'
import type { JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { ConfigurationEvent } from './entry.ts'
import { type Watch, wants } from './trigger.ts'

interface Watcher {
  readonly watch: Watch
  readonly waiting: JsonText[]
  isOver: boolean
  dropped: number
}

export interface Deliverer {
  add(watch: Watch): void
  remove(triggerId: string): void
  /** Whether a trigger is about this entry and no other. */
  isWatched(id: string): boolean
  tell(event: ConfigurationEvent, payload: () => JsonText): void
  stop(): void
}

export function createDeliverer(client: BuiltInClient, log: Log): Deliverer {
  const watchers = new Map<string, Watcher>()

  function targetOf({ function_id: functionId, namespace, metadata }: Binding): Target {
    return { functionId, namespace, metadata }
  }

  function remove(triggerId: string): void {
    const watcher = watchers.get(triggerId)
    if (watcher === undefined) return
    watcher.isOver = true
    watchers.delete(triggerId)
  }

  /** Whether the function may run: unless the condition says `false`, or does not answer properly. */
  function allows({ binding, conditionFunctionId }: Watch, data: JsonText): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    client.call(
      {
        functionId: conditionFunctionId!,
        data,
        namespace: binding.namespace,
        metadata: undefined,
        timeoutMs: limits.callTimeoutMs,
        traceparent: undefined,
        baggage: undefined,
      },
      (error, result) => {
        if (error !== undefined) {
          log.warn('a condition has failed, and the function of its trigger was not called', {
            trigger_id: shortened(binding.id),
            function_id: shortened(binding.function_id),
            condition_function_id: shortened(conditionFunctionId!),
            error: error.code,
          })
        }
        resolve(error === undefined && result?.trim() !== 'false')
      },
    )
    return promise
  }

  async function work(watcher: Watcher): Promise<void> {
    const { watch, waiting } = watcher
    while (waiting.length > 0 && !watcher.isOver) {
      const data = waiting[0]!
      const allowed = await allows(watch, data)
      waiting.shift()
      if (allowed && !watcher.isOver) client.tellAll([targetOf(watch.binding)], data)
    }
  }

  function ask(watcher: Watcher, data: JsonText): void {
    if (watcher.waiting.length >= limits.configurationEventsWaiting) {
      if (isMilestone(++watcher.dropped)) {
        log.warn('an event of a configuration was dropped: too many wait for the condition of a trigger', {
          trigger_id: shortened(watcher.watch.binding.id),
          count: watcher.dropped,
        })
      }
      return
    }
    watcher.waiting.push(data)
    if (watcher.waiting.length === 1) void work(watcher)
  }

  return {
    add(watch) {
      remove(watch.binding.id)
      watchers.set(watch.binding.id, { watch, waiting: [], isOver: false, dropped: 0 })
    },
    remove,
    isWatched: id => [...watchers.values()].some(({ watch }) => watch.configurationId === id),
    tell(event, payload) {
      const wanting = [...watchers.values()].filter(({ watch }) => wants(watch, event))
      if (wanting.length === 0) return
      const data = payload()
      const direct = wanting.filter(({ watch }) => watch.conditionFunctionId === undefined)
      if (direct.length > 0)
        client.tellAll(
          direct.map(({ watch }) => targetOf(watch.binding)),
          data,
        )
      for (const watcher of wanting) if (watcher.watch.conditionFunctionId !== undefined) ask(watcher, data)
    },
    stop() {
      for (const id of [...watchers.keys()]) remove(id)
    },
  }
}
