/**
 * Events on their way to the gateways. What happened in one transaction goes in one parcel to all gateways that have
 * somebody who listens: one record in the ring of each thread.
 */
import type { BuiltInClient } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import { limits } from '../../src/protocol/limits.ts'
import { messageOf } from './messages.ts'
import { type Part, packParcel } from './parcel.ts'
import type { Group, StreamEvent } from './store.ts'
import { groupKey, type Subscriptions } from './subscriptions.ts'

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

export interface FanOutParts {
  readonly client: BuiltInClient
  readonly subscriptions: Subscriptions
  readonly clock: Clock
  /** Of parcels. */
  readonly key: string
}

const targetOf = (functionId: string) => ({ functionId, namespace: undefined, metadata: undefined })

export function createFanOut({ client, subscriptions, clock, key }: FanOutParts): FanOut {
  /** Groups of which events did not arrive, by gateway: it may hear of nothing else, and is told after a pause. */
  const missed = new Map<string, Map<string, Group>>()

  function miss(gateway: string, parts: readonly Part[]): void {
    const groups = missed.get(gateway) ?? new Map<string, Group>()
    for (const { row } of parts) {
      if (row[0] !== 'event' && row[0] !== 'lost') continue
      const group = { stream: row[1], group: row[2] }
      groups.set(groupKey(group), group)
    }
    if (!missed.has(gateway)) clock.after(limits.streamLostMs, () => tellLost(gateway))
    missed.set(gateway, groups)
  }

  function tellLost(gateway: string): void {
    const parts: Part[] = []
    for (const group of missed.get(gateway)?.values() ?? []) {
      const audience = subscriptions.audience(group)
      if (!audience?.gateways.has(gateway)) continue
      parts.push({ row: ['lost', group.stream, group.group, audience.lastSeq, 1], text: '0' })
    }
    missed.delete(gateway)
    if (parts.length > 0)
      client.tellAll([targetOf(gateway)], packParcel(key, parts), { lost: () => miss(gateway, parts) })
  }

  function send(bundle: Bundle): void {
    const { gateways, parts } = bundle
    client.tellAll(gateways.map(targetOf), packParcel(key, parts), {
      lost: index => miss(gateways[index]!, parts),
    })
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
