/** The end of a subscription: `stream:leave` fires once for each that was let in, however it comes to its end. */
import type { Deliveries } from '../../src/delivery/deliveries.ts'
import { subscriptionText } from './admission.ts'
import type { Subscription, Subscriptions } from './subscriptions.ts'
import type { Triggers } from './triggers.ts'

export interface LeavingParts {
  readonly subscriptions: Subscriptions
  readonly leaves: Triggers
  readonly deliveries: Deliveries
}

export type Leave = (subscription: Subscription) => void

export function createLeaving({ subscriptions, leaves, deliveries }: LeavingParts): Leave {
  return subscription => {
    const wasIn = subscription.state !== 'asking'
    if (!subscriptions.remove(subscription) || !wasIn) return
    const concerned = leaves.about(subscription).map(({ delivery }) => delivery)
    if (concerned.length > 0) deliveries.deliver(concerned, { data: subscriptionText(subscription) })
  }
}
