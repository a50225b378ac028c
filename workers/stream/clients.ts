/** Clients of all gateways: who may subscribe, who is subscribed, and who is not any more. */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { BuiltInClient, CallContext, RawJson } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Admission } from './admission.ts'
import type { Leave } from './leaving.ts'
import {
  ATTACH,
  COUNTERS,
  GATEWAY,
  idIn,
  JOIN,
  type JoinAnswer,
  type JoinRequest,
  LEAVE,
  NOT_ATTACHED,
  RESYNC,
  type Request,
  readRequest,
} from './names.ts'
import type { Open } from './opening.ts'
import { packGreeting } from './parcel.ts'
import type { Subscription, Subscriptions } from './subscriptions.ts'

export interface ClientsParts {
  readonly client: BuiltInClient
  readonly subscriptions: Subscriptions
  readonly admission: Admission
  readonly open: Open
  readonly leave: Leave
  readonly clock: Clock
  /** Of parcels. */
  readonly key: string
  /** Of `idIn`. */
  readonly process?: string | undefined
}

export interface Clients {
  /** Lets the gateways go: they will ask again. */
  drain(): void
  /** What every gateway has counted. One that does not answer is left out. */
  counters(): Promise<Record<string, number>[]>
}

const INTERNAL = { metadata: { internal: true }, rawInput: true } as const

/** A gateway that is there. */
interface Hold extends PromiseWithResolvers<unknown> {
  readonly secret: string
}

export function createClients(parts: ClientsParts): Clients {
  const { client, subscriptions, admission, open, leave, clock, key, process } = parts
  const attached = new Map<string, Hold>()

  function leaveAll(gateway: string): void {
    for (const subscription of subscriptions.ofGateway(gateway)) leave(subscription)
  }

  function notAttached({ gateway }: Request): never {
    throw new HandlerError(NOT_ATTACHED, `${gateway} is not attached, or its secret is another one`)
  }

  function attach(given: RawJson, { signal }: CallContext): Promise<unknown> {
    const request = readRequest(ATTACH, given)
    const { gateway, secret } = request
    const before = attached.get(gateway)
    if (!gateway.startsWith(GATEWAY) || (before !== undefined && before.secret !== secret))
      notAttached(request)
    const hold = { ...Promise.withResolvers<unknown>(), secret }
    before?.resolve({ again: false })
    attached.set(gateway, hold)
    // Whatever it has is joined anew, under the same numbers.
    if (!request.isAgain()) leaveAll(gateway)
    signal.addEventListener('abort', () => {
      if (attached.get(gateway) !== hold) return
      attached.delete(gateway)
      leaveAll(gateway)
    })
    const target = { functionId: gateway, namespace: undefined, metadata: undefined }
    client.tellAll([target], packGreeting(secret, key))
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

  /** What a gateway says that is attached. */
  function said(functionId: string, given: RawJson): Request {
    const request = readRequest(functionId, given)
    return attached.get(request.gateway)?.secret === request.secret ? request : notAttached(request)
  }

  async function join(given: RawJson): Promise<JoinAnswer> {
    const request = said(JOIN, given).join()
    const before = subscriptions.get(request.gateway, request.number)
    if (before !== undefined) leave(before)
    if (subscriptions.ofGatewayCount(request.gateway) >= limits.streamGatewaySubscriptions)
      return { unauthorized: true, reason: 'there are too many subscriptions; try again later' }
    const subscription = subscriptions.add(request, clock.now())
    if (!request.granted && !(await admitted(request))) {
      subscriptions.remove(subscription)
      return { unauthorized: true }
    }
    // Without a since that is still known it is told everything. Not waited for: the answer is about the admission only.
    void open(subscription, request.since)
    return { unauthorized: false }
  }

  function concerned(functionId: string, given: RawJson): Subscription[] {
    const request = said(functionId, given)
    return request
      .numbers()
      .map(number => subscriptions.get(request.gateway, number))
      .filter(subscription => subscription !== undefined)
  }

  client.registerFunction(idIn(process, ATTACH), attach, INTERNAL)
  client.registerFunction(idIn(process, JOIN), join, INTERNAL)
  client.registerFunction<RawJson>(
    idIn(process, LEAVE),
    given => concerned(LEAVE, given).forEach(leave),
    INTERNAL,
  )
  client.registerFunction<RawJson>(
    idIn(process, RESYNC),
    given => {
      for (const subscription of concerned(RESYNC, given))
        if (subscription.state !== 'asking') void open(subscription, undefined)
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
