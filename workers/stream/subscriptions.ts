/**
 * Who is subscribed to what, over all gateways. A subscription is in one of three states:
 *
 *     asking ──handlers allow it──▶ opening ──what was before is told──▶ live
 *        │                             │ ▲                                │
 *        │                             │ └──────── wants all anew ────────┤
 *        └──────────── leaves ─────────┴────────────────┴─────────────────┘
 *
 * While it opens, events are kept for it and go behind what was before; then they go to its gateway, once for all
 * subscriptions there.
 */
import type { JoinRequest } from './names.ts'
import type { Group, StreamEvent } from './store.ts'

export interface Subscription extends JoinRequest {
  readonly joinedAtMs: number
  state: 'asking' | 'opening' | 'live' | 'gone'
  /** Events since it began to open; absent when it does not. */
  kept: StreamEvent[] | undefined
  /** Grows with each opening, so that one that was begun anew is known. */
  opening: number
}

/** A group that somebody is subscribed to. */
export interface Audience {
  readonly all: Set<Subscription>
  readonly opening: Set<Subscription>
  /** Live subscriptions of each gateway. */
  readonly gateways: Map<string, number>
  /** The gateways as one text, the same for all groups that have the same ones. */
  targets: string
  /** Number of the last event that they were told of. */
  lastSeq: number
}

export interface Subscriptions {
  /** Replaces nothing: numbers are never used again. */
  add(request: JoinRequest, atMs: number): Subscription
  get(gateway: string, number: number): Subscription | undefined
  /** False: it was gone already. */
  remove(subscription: Subscription): boolean
  beginOpening(subscription: Subscription): void
  becomeLive(subscription: Subscription): void
  audience(group: Group): Audience | undefined
  ofGateway(gateway: string): Subscription[]
  ofGatewayCount(gateway: string): number
  all(): IterableIterator<Subscription>
  count(): number
}

/** One text for the two names, whatever characters they have. */
export function groupKey({ stream, group }: Group): string {
  return `${stream.length} ${stream}${group}`
}

export function createSubscriptions(): Subscriptions {
  const gateways = new Map<string, Map<number, Subscription>>()
  const audiences = new Map<string, Audience>()

  function audienceFor(group: Group): Audience {
    const key = groupKey(group)
    let audience = audiences.get(key)
    if (audience === undefined) {
      audience = { all: new Set(), opening: new Set(), gateways: new Map(), targets: '', lastSeq: 0 }
      audiences.set(key, audience)
    }
    return audience
  }

  function count(audience: Audience, gateway: string, more: 1 | -1): void {
    const before = audience.gateways.get(gateway) ?? 0
    const now = before + more
    if (now === 0) audience.gateways.delete(gateway)
    else audience.gateways.set(gateway, now)
    if (before === 0 || now === 0) audience.targets = [...audience.gateways.keys()].sort().join(' ')
  }

  /** Out of the state it is in. */
  function withdraw(subscription: Subscription, audience: Audience): void {
    if (subscription.state === 'live') count(audience, subscription.gateway, -1)
    audience.opening.delete(subscription)
    subscription.kept = undefined
  }

  return {
    add(request, atMs) {
      const { gateway, number } = request
      const subscription: Subscription = {
        ...request,
        joinedAtMs: atMs,
        state: 'asking',
        kept: undefined,
        opening: 0,
      }
      let known = gateways.get(gateway)
      if (known === undefined) {
        known = new Map()
        gateways.set(gateway, known)
      }
      known.set(number, subscription)
      audienceFor(request).all.add(subscription)
      return subscription
    },
    get: (gateway, number) => gateways.get(gateway)?.get(number),
    remove(subscription) {
      if (subscription.state === 'gone') return false
      const audience = audienceFor(subscription)
      withdraw(subscription, audience)
      subscription.state = 'gone'
      audience.all.delete(subscription)
      if (audience.all.size === 0) audiences.delete(groupKey(subscription))
      const known = gateways.get(subscription.gateway)!
      known.delete(subscription.number)
      if (known.size === 0) gateways.delete(subscription.gateway)
      return true
    },
    beginOpening(subscription) {
      const audience = audienceFor(subscription)
      withdraw(subscription, audience)
      subscription.state = 'opening'
      subscription.opening++
      subscription.kept = []
      audience.opening.add(subscription)
    },
    becomeLive(subscription) {
      const audience = audienceFor(subscription)
      withdraw(subscription, audience)
      subscription.state = 'live'
      count(audience, subscription.gateway, 1)
    },
    audience: group => audiences.get(groupKey(group)),
    ofGateway: gateway => [...(gateways.get(gateway)?.values() ?? [])],
    ofGatewayCount: gateway => gateways.get(gateway)?.size ?? 0,
    *all() {
      for (const known of gateways.values()) yield* known.values()
    },
    count() {
      let total = 0
      for (const known of gateways.values()) total += known.size
      return total
    },
  }
}
