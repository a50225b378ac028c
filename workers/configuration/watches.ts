/** The triggers there are, and which of them an event is for. */
import type { TriggerProvider } from '../../sdk/typescript/src/worker.ts'
import type { Deliveries, Subscription } from '../../src/delivery/deliveries.ts'
import type { ConfigurationEvent } from './entry.ts'
import { parseWatch, type Watch, wants } from './trigger.ts'

export interface Watches {
  readonly provider: TriggerProvider
  /** Whether a trigger is about this entry and no other. */
  isWatched(id: string): boolean
  wanting(event: ConfigurationEvent): Subscription[]
}

export function createWatches(deliveries: Deliveries): Watches {
  const watches = new Map<string, { readonly watch: Watch; readonly subscription: Subscription }>()
  /** How many triggers are about an entry. */
  const counts = new Map<string, number>()

  function count(id: string | undefined, more: number): void {
    if (id === undefined) return
    const now = (counts.get(id) ?? 0) + more
    if (now === 0) counts.delete(id)
    else counts.set(id, now)
  }

  function remove(triggerId: string): void {
    const known = watches.get(triggerId)
    if (known === undefined) return
    watches.delete(triggerId)
    count(known.watch.configurationId, -1)
    deliveries.remove(triggerId)
  }

  return {
    provider: {
      bind(binding) {
        // A trigger that comes again replaces itself, also when its new form is refused.
        remove(binding.id)
        const watch = parseWatch(binding.config)
        watches.set(binding.id, { watch, subscription: deliveries.add(binding, watch.delivery) })
        count(watch.configurationId, 1)
        return deliveries.remark(binding, watch.remarks)
      },
      unbind: ({ id }) => remove(id),
    },
    isWatched: id => counts.has(id),
    wanting: event =>
      [...watches.values()]
        .filter(({ watch }) => wants(watch, event))
        .map(({ subscription }) => subscription),
  }
}
