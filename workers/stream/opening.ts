/**
 * What a client is told when it has subscribed: how everything is, or what it has missed, and then what has happened
 * meanwhile. It leaves in one parcel, and later events leave behind it.
 */
import type { BuiltInClient } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import type { Log } from '../../src/log/log.ts'
import { createBoundedTally, shortened } from '../../src/log/notices.ts'
import { JSON_NULL, type JsonText, quote } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Custom } from './custom.ts'
import { addressText, groupText } from './customWrites.ts'
import { matches } from './fanOut.ts'
import type { Leave } from './leaving.ts'
import { messageOf, syncData, syncMessage } from './messages.ts'
import { type Part, packParcel } from './parcel.ts'
import { createSnapshots } from './snapshots.ts'
import type { StreamEvent, StreamStore } from './store.ts'
import type { Subscription, Subscriptions } from './subscriptions.ts'

export interface OpeningParts {
  readonly client: BuiltInClient
  readonly subscriptions: Subscriptions
  readonly leave: Leave
  readonly store: StreamStore
  readonly custom: Custom
  readonly clock: Clock
  readonly log: Log
  /** Of parcels. */
  readonly key: string
}

const TOO_BUSY =
  'more happens in this group than a new subscription can be told; join again later, or subscribe to one item'

const TOO_MUCH = `the items of this group are more than ${limits.pageCharacters} characters; subscribe to one item, or keep fewer in a group`

/** What was before. `upTo`: number of the last event in it. */
interface Before {
  readonly upTo: number
  readonly parts: readonly Part[]
}

/** Resolves when the subscription lives, or is gone. */
export type Open = (subscription: Subscription, since: number | undefined) => Promise<void>

export function createOpening(parts: OpeningParts): Open {
  const { client, subscriptions, leave, store, custom, clock, log, key } = parts
  const tally = createBoundedTally(limits.streamNotices)
  const snapshots = createSnapshots()

  function replayPart(number: number, event: StreamEvent): Part {
    const text = messageOf(event)
    return { row: ['replay', number, event.seq, text.length], text }
  }

  async function replayed(subscription: Subscription, since: number): Promise<Before | undefined> {
    // What another worker keeps has events of other streams' making only as far as they are kept here: the same.
    const replay = await store.replay(subscription, since, limits.streamReplayEvents)
    if (replay === undefined) return undefined
    const events = replay.events.filter(event => matches(subscription.item, event))
    return { upTo: replay.seq, parts: events.map(event => replayPart(subscription.number, event)) }
  }

  /** `undefined`: it is too much for one message. */
  async function read(subscription: Subscription): Promise<{ data: JsonText; seq: number } | undefined> {
    const { stream, item } = subscription
    if (await custom.has(item === undefined ? 'list' : 'get', stream)) {
      const seq = store.seq()
      const data = await (item === undefined
        ? custom.ask('list', stream, groupText(subscription))
        : custom.ask('get', stream, addressText({ ...subscription, item })))
      return { data: data ?? JSON_NULL, seq }
    }
    const { withIds } = subscription
    const audience = item === undefined ? subscriptions.audience(subscription) : undefined
    const known = audience === undefined ? undefined : snapshots.find(audience, withIds)
    if (known !== undefined) return known
    const { items, seq, isCut } = await store.snapshot(subscription, item)
    if (isCut) return undefined
    const data = syncData(items, subscription)
    if (audience !== undefined) snapshots.keep(audience, withIds, { data, seq })
    return { data, seq }
  }

  async function synced(subscription: Subscription): Promise<Before | undefined> {
    const found = await read(subscription)
    if (found === undefined) return undefined
    const { data, seq } = found
    const text = syncMessage(subscription, clock.now(), data, seq)
    return { upTo: seq, parts: [{ row: ['sync', subscription.number, seq, text.length], text }] }
  }

  /** `undefined`: it is too much for one message. If it cannot be read, the client is told nothing and hears of what happens from now on. */
  async function before(subscription: Subscription, since: number | undefined): Promise<Before | undefined> {
    try {
      const missed = since === undefined ? undefined : await replayed(subscription, since)
      return missed ?? (await synced(subscription))
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      const count = tally(subscription.stream)
      if (count !== undefined)
        log.warn('what is in a group could not be read: its new client was sent no sync', {
          stream_name: shortened(subscription.stream),
          group_id: shortened(subscription.group),
          error: shortened(why, 400),
          count,
        })
      return { upTo: store.seq(), parts: [] }
    }
  }

  function tell(gateway: string, told: readonly Part[], lost: () => void): void {
    const target = { functionId: gateway, namespace: undefined, metadata: undefined }
    const again = (): void => void clock.after(limits.streamLostMs, lost)
    client.tellAll([target], packParcel(key, told), { lost: again })
  }

  /** Ends a subscription that cannot be told how everything is. */
  function refuse(subscription: Subscription, reason: string): void {
    leave(subscription)
    const text = quote(reason)
    const { gateway, number } = subscription
    const send = (): void => tell(gateway, [{ row: ['refused', number, 0, text.length], text }], send)
    send()
  }

  function finish(subscription: Subscription, { upTo, parts: first }: Before, lost: () => void): void {
    const { gateway, number, opening } = subscription
    const kept = (subscription.kept ?? []).filter(({ seq }) => seq > upTo)
    // Of the whole group: events behind this one are those that the gateway will hear of.
    const seq = Math.max(upTo, subscriptions.audience(subscription)?.lastSeq ?? 0)
    const ready: Part = { row: ['ready', number, seq, 1], text: '0' }
    subscriptions.becomeLive(subscription)
    tell(gateway, [...first, ...kept.map(event => replayPart(number, event)), ready], () => {
      if (subscription.state === 'live' && subscription.opening === opening) lost()
    })
  }

  return async function open(subscription, since) {
    for (let attempt = 1; subscription.state !== 'gone'; attempt++) {
      subscriptions.beginOpening(subscription)
      const { opening } = subscription
      const found = await before(subscription, since)
      // Gone meanwhile, or begun anew by somebody else.
      if ((subscription.state as Subscription['state']) !== 'opening' || subscription.opening !== opening)
        return
      if (found === undefined) {
        refuse(subscription, TOO_MUCH)
        return
      }
      if ((subscription.kept?.length ?? 0) <= limits.streamKeptEvents) {
        finish(subscription, found, () => void open(subscription, since))
        return
      }
      if (attempt >= limits.streamOpenings) refuse(subscription, TOO_BUSY)
    }
  }
}
