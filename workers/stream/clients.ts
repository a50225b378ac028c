/** Clients of all gateways: who may subscribe, who is subscribed, and who is not any more. */
import type { BuiltInClient, CallContext, RawJson } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import type { Deliveries } from '../../src/delivery/deliveries.ts'
import { type Admission, subscriptionText } from './admission.ts'
import {
  ATTACH,
  type AttachRequest,
  COUNTERS,
  JOIN,
  type JoinAnswer,
  type JoinRequest,
  LEAVE,
  type LeaveRequest,
  RESYNC,
  type ResyncRequest,
  readJoin,
} from './names.ts'
import type { Open } from './opening.ts'
import type { Subscription, Subscriptions } from './subscriptions.ts'
import type { Triggers } from './triggers.ts'

export interface ClientsParts {
  readonly client: BuiltInClient
  readonly subscriptions: Subscriptions
  readonly admission: Admission
  readonly open: Open
  readonly leaves: Triggers
  readonly deliveries: Deliveries
  readonly clock: Clock
}

export interface Clients {
  /** Lets the gateways go: they will ask again. */
  drain(): void
  /** What every gateway has counted. One that does not answer is left out. */
  counters(): Promise<Record<string, number>[]>
}

const INTERNAL = { metadata: { internal: true } } as const

export function createClients(parts: ClientsParts): Clients {
  const { client, subscriptions, admission, open, leaves, deliveries, clock } = parts
  const attached = new Map<string, PromiseWithResolvers<unknown>>()

  /** Once for each subscription that was let in, however it comes to its end. */
  function leave(subscription: Subscription): void {
    const wasIn = subscription.state !== 'asking'
    if (!subscriptions.remove(subscription) || !wasIn) return
    const concerned = leaves.about(subscription).map(({ delivery }) => delivery)
    if (concerned.length > 0) deliveries.deliver(concerned, { data: subscriptionText(subscription) })
  }

  function leaveAll(gateway: string): void {
    for (const subscription of subscriptions.ofGateway(gateway)) leave(subscription)
  }

  function attach({ gateway }: AttachRequest, { signal }: CallContext): Promise<unknown> {
    const hold = Promise.withResolvers<unknown>()
    attached.get(gateway)?.resolve({ again: false })
    attached.set(gateway, hold)
    signal.addEventListener('abort', () => {
      if (attached.get(gateway) !== hold) return
      attached.delete(gateway)
      leaveAll(gateway)
    })
    return hold.promise
  }

  /** A handler may take its time: nobody who calls the streams is held back for those who ask to come in. */
  async function admitted(request: JoinRequest): Promise<boolean> {
    client.wait(1)
    try {
      return await admission(request)
    } finally {
      client.wait(-1)
    }
  }

  async function join({ text }: RawJson): Promise<JoinAnswer> {
    const request = readJoin(text)
    const subscription = subscriptions.add(request, clock.now())
    if (!request.granted && !(await admitted(request))) {
      subscriptions.remove(subscription)
      return { unauthorized: true }
    }
    // Without a since that is still known it is told everything. Not waited for: the answer is about the admission only.
    void open(subscription, request.since)
    return { unauthorized: false }
  }

  client.registerFunction<AttachRequest>(ATTACH, attach, INTERNAL)
  client.registerFunction<RawJson>(JOIN, join, { ...INTERNAL, rawInput: true })
  client.registerFunction<LeaveRequest>(
    LEAVE,
    ({ gateway, numbers }) => {
      for (const number of numbers) {
        const subscription = subscriptions.get(gateway, number)
        if (subscription !== undefined) leave(subscription)
      }
    },
    INTERNAL,
  )
  client.registerFunction<ResyncRequest>(
    RESYNC,
    ({ gateway, numbers }) => {
      for (const number of numbers) {
        const subscription = subscriptions.get(gateway, number)
        if (subscription !== undefined && subscription.state !== 'asking') void open(subscription, undefined)
      }
    },
    INTERNAL,
  )

  return {
    drain() {
      const all = [...attached.values()]
      attached.clear()
      for (const hold of all) hold.resolve({ again: true })
    },
    async counters() {
      const asked = [...attached.keys()].map(gateway =>
        client
          .trigger<Record<string, number>>({ function_id: gateway, payload: COUNTERS })
          .catch(() => undefined),
      )
      const answers = await Promise.all(asked)
      return answers.filter(answer => answer !== undefined)
    },
  }
}
