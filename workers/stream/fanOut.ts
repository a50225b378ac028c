/**
 * Events on their way to the gateways. What happened in one transaction goes in one parcel to all gateways that have
 * somebody who listens: one record in the ring of each thread.
 */
import type { BuiltInClient } from '../../sdk/typescript/src/worker.ts'
import { limits } from '../../src/protocol/limits.ts'
import { messageOf } from './messages.ts'
import { type Part, packParcel } from './parcel.ts'
import type { StreamEvent } from './store.ts'
import type { Subscriptions } from './subscriptions.ts'

interface Bundle {
  readonly gateways: readonly string[]
  parts: Part[]
  /** Characters. */
  size: number
}

/** Whether a subscription is to an item that an event is about, or to the whole group. */
export function matches(item: string | undefined, event: StreamEvent): boolean {
  return item === undefined || item === event.item
}

export type FanOut = (events: readonly StreamEvent[]) => void

export function createFanOut(client: BuiltInClient, subscriptions: Subscriptions, key: string): FanOut {
  function send(bundle: Bundle): void {
    const targets = bundle.gateways.map(functionId => ({
      functionId,
      namespace: undefined,
      metadata: undefined,
    }))
    client.tellAll(targets, packParcel(key, bundle.parts))
    bundle.parts = []
    bundle.size = 0
  }

  return events => {
    const bundles = new Map<string, Bundle>()
    for (const event of events) {
      const audience = subscriptions.audience(event)
      if (audience === undefined) continue
      for (const { kept, item } of audience.opening) {
        // One more than may be kept says that some are missing.
        if (kept !== undefined && kept.length <= limits.streamKeptEvents && matches(item, event)) {
          kept.push(event)
        }
      }
      const before = audience.lastSeq
      audience.lastSeq = event.seq
      if (audience.gateways.size === 0) continue
      let bundle = bundles.get(audience.targets)
      if (bundle === undefined) {
        bundle = { gateways: [...audience.gateways.keys()], parts: [], size: 0 }
        bundles.set(audience.targets, bundle)
      }
      const text = messageOf(event)
      const { stream, group, item, seq } = event
      bundle.parts.push({ row: ['event', stream, group, item ?? null, seq, before, text.length], text })
      bundle.size += text.length
      if (bundle.size >= limits.fanOutBytes) send(bundle)
    }
    for (const bundle of bundles.values()) if (bundle.parts.length > 0) send(bundle)
  }
}
