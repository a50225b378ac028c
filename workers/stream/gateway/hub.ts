/**
 * The life of a subscription here, and what is said between this instance and the store half:
 *
 *     join ──▶ joining ──▶ [ JOIN ] ──refused──▶ gone, the client is told
 *                 │                └─ allowed ─▶ a parcel: sync, events since, ready ──▶ live ──▶ events
 *                 │                                                                      │
 *                 └◀── [ RESYNC ] ◀── lost ◀── the client was slow, or an event was lost ┘
 *
 * When the store half comes back from its end, everything is joined anew.
 */
import type { BuiltInClient } from '../../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../../src/clock/clock.ts'
import type { ErrorBody } from '../../../src/protocol/frames.ts'
import { fromJsonText, JSON_NULL, type JsonText, toJsonText } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import { unauthorizedMessage, withSubscription } from '../messages.ts'
import { ATTACH, idIn, JOIN, type JoinAnswer, LEAVE, NOT_ATTACHED, RESYNC, writeJoin } from '../names.ts'
import { type EventRow, type OpenRow, unpackGreeting, unpackParcel } from '../parcel.ts'
import type { Connection, Subscription } from './connection.ts'
import type { Counters } from './counters.ts'
import type { Join } from './request.ts'
import type { Room, Rooms } from './rooms.ts'

export interface HubParts {
  readonly client: BuiltInClient
  readonly clock: Clock
  /** The function of this instance. */
  readonly gateway: string
  /** By which the store half knows it. Nobody else is told. */
  readonly secret: string
  /** Of `idIn`. */
  readonly process?: string | undefined
  readonly rooms: Rooms
  readonly counters: Counters
  readonly timeoutMs: number
  /** To a connection, alone. `isSync`: large by right. */
  send(connection: Connection, text: string, isSync?: boolean): void
  /** So many bytes were published to a room. */
  published(room: Room, bytes: number): void
}

export interface Hub {
  join(connection: Connection, join: Join): void
  leave(connection: Connection, subscriptionId: string): void
  /** The connection is over. */
  leaveAll(connection: Connection): void
  /** A parcel of the store half. */
  received(parcel: JsonText): void
  /** They hear of nothing until they are resynced. */
  lose(subscriptions: Iterable<Subscription>): void
  /** Those that are lost get everything anew. */
  resync(subscriptions: Iterable<Subscription>): void
  start(): void
  /** Lets go of the store half: nobody here is subscribed any more. */
  drain(): void
  stop(): void
}

/** The store half is not there, or not any more: it will be asked again. */
const isTransient = ({ code }: ErrorBody): boolean =>
  code === NOT_ATTACHED ||
  code === 'function_not_found' ||
  code === 'invocation_stopped' ||
  code === 'CONNECTION_LOST'

export function createHub(parts: HubParts): Hub {
  const { client, clock, gateway, secret, process, rooms, counters, timeoutMs } = parts
  const byNumber = new Map<number, Subscription>()
  let numbers = 0
  let isStopped = false
  /** Which life of the store half this is. */
  let life = 0
  let holds = 0
  /** Of the parcels of the store half. */
  let key: string | undefined
  let letGo = (): void => {}
  let cancelTimers: (() => void)[] = []

  function ask(
    functionId: string,
    data: JsonText,
    ms: number,
    answer: (error: ErrorBody | undefined, result: JsonText | undefined) => void,
  ): () => void {
    const rest = { namespace: undefined, metadata: undefined, traceparent: undefined, baggage: undefined }
    return client.call({ functionId: idIn(process, functionId), data, timeoutMs: ms, ...rest }, answer)
  }

  function later(ms: number, task: () => void): void {
    const cancel = clock.after(ms, () => {
      cancelTimers = cancelTimers.filter(other => other !== cancel)
      task()
    })
    cancelTimers.push(cancel)
  }

  /** Says something until it has arrived, as long as who is to hear it lives. */
  function insist(functionId: string, of: readonly number[], failed: () => void): void {
    const spoken = life
    ask(functionId, toJsonText({ gateway, secret, numbers: of }), limits.callTimeoutMs, error => {
      if (error === undefined || isStopped || life !== spoken || isTransient(error)) return
      later(limits.streamSlowLookMs, () => {
        if (life === spoken) failed()
      })
    })
  }

  function tellLeft(left: readonly number[]): void {
    if (left.length > 0) insist(LEAVE, left, () => tellLeft(left))
  }

  function remove(subscription: Subscription): void {
    if (subscription.state === 'gone') return
    rooms.remove(subscription)
    subscription.state = 'gone'
    byNumber.delete(subscription.number)
    const { connection, subscriptionId } = subscription
    if (connection.subscriptions.get(subscriptionId) === subscription)
      connection.subscriptions.delete(subscriptionId)
  }

  function refuse(subscription: Subscription, reason?: string): void {
    remove(subscription)
    counters.unauthorized++
    const seq = subscription.room.lastSeq
    parts.send(subscription.connection, unauthorizedMessage(subscription, clock.now(), seq, reason), true)
  }

  function askToJoin(subscription: Subscription): void {
    const { number, subscriptionId, stream, group, item, withIds, since, granted, connection } = subscription
    const spoken = life
    const join = {
      gateway,
      connection: connection.id,
      number,
      subscriptionId,
      stream,
      group,
      item,
      context: connection.context,
      withIds,
      since: granted ? undefined : since,
      granted,
    }
    const request = writeJoin(join, secret)
    // Handlers, each after its condition, have their time; then there is no answer.
    ask(JOIN, request, 2 * timeoutMs + limits.callTimeoutMs, (error, result) => {
      if (subscription.state === 'gone' || life !== spoken) return
      if (error === undefined) {
        const { unauthorized, reason } = fromJsonText(result ?? JSON_NULL) as JoinAnswer
        if (unauthorized) refuse(subscription, reason)
        else subscription.granted = true
        return
      }
      // Asked anew in the next life.
      if (isTransient(error)) return
      tellLeft([number])
      refuse(subscription, 'it could not be found out whether you may subscribe; try again later')
    })
  }

  /** The store half answers when it goes; it holds the place of this instance as long as it does not. */
  function hold(again: boolean): void {
    const held = ++holds
    letGo = ask(ATTACH, toJsonText({ gateway, secret, again }), limits.callAgeMs, () => {
      // One that came later holds the place now.
      if (isStopped || held !== holds) return
      life++
      later(limits.streamAttachMs, attach)
    })
  }

  /** A new life: whatever was is joined anew. */
  function attach(): void {
    life++
    hold(false)
    for (const room of rooms.all()) room.lastSeq = 0
    for (const subscription of byNumber.values()) {
      rooms.exit(subscription)
      subscription.state = 'joining'
      subscription.askedAtMs = clock.now()
      askToJoin(subscription)
    }
  }

  /** Long before the call comes to its end. */
  function holdAgain(): void {
    later(limits.streamAttachAgainMs, () => {
      hold(true)
      holdAgain()
    })
  }

  function lose(lost: Iterable<Subscription>): void {
    for (const subscription of lost) {
      if (subscription.state === 'gone' || subscription.state === 'lost') continue
      if (subscription.state === 'live') subscription.lostFrom = rooms.published(subscription)
      // One that joins gets its sync later; if that comes too early, it is lost then.
      if (subscription.state === 'joining') continue
      rooms.exit(subscription)
      subscription.state = 'lost'
    }
  }

  function resync(lost: Iterable<Subscription>): void {
    const asked: Subscription[] = []
    for (const subscription of lost) {
      if (subscription.state !== 'lost') continue
      subscription.state = 'joining'
      subscription.askedAtMs = clock.now()
      asked.push(subscription)
    }
    if (asked.length === 0) return
    counters.resynced += asked.length
    insist(
      RESYNC,
      asked.map(({ number }) => number),
      () => {
        const left = asked.filter(({ state }) => state === 'joining')
        for (const subscription of left) subscription.state = 'lost'
        recover(left)
      },
    )
  }

  const isWell = ({ connection }: Subscription): boolean => connection.slow === undefined

  function recover(subscriptions: readonly Subscription[]): void {
    resync(subscriptions.filter(isWell))
  }

  /** What was to come may have got lost on a way on which nobody notices. */
  function lookForLate(): void {
    later(limits.streamJoiningMs, () => {
      const late = [...byNumber.values()].filter(
        ({ state, granted, askedAtMs }) =>
          state === 'joining' && granted && clock.now() - askedAtMs >= limits.streamJoiningMs,
      )
      for (const subscription of late) subscription.state = 'lost'
      recover(late)
      lookForLate()
    })
  }

  function opened([kind, number, seq]: OpenRow, text: string): void {
    const subscription = byNumber.get(number)
    if (subscription === undefined) return
    const { connection, room } = subscription
    subscription.granted = true
    if (kind === 'refused') {
      refuse(subscription, fromJsonText(text as JsonText) as string)
      return
    }
    if (kind === 'ready') {
      room.lastSeq = Math.max(room.lastSeq, seq)
      if (subscription.state === 'joining') {
        subscription.state = 'live'
        rooms.enter(subscription)
      }
      return
    }
    if (connection.slow !== undefined) {
      subscription.state = 'lost'
      return
    }
    if (subscription.state !== 'joining') return
    if (kind === 'sync') {
      counters.syncs++
      subscription.synced = true
      parts.send(connection, text, true)
      return
    }
    counters.deliveries++
    parts.send(
      connection,
      subscription.echo ? withSubscription(text, subscription.subscriptionId) : text,
      true,
    )
  }

  function missed(room: Room, upTo: number): void {
    counters.gaps++
    lose(room.subscriptions)
    room.lastSeq = Math.max(room.lastSeq, upTo)
    recover([...room.subscriptions])
  }

  function happened([, stream, group, item, seq, before]: EventRow, text: string): void {
    const room = rooms.find({ stream, group })
    if (room === undefined) return
    if (room.lastSeq !== 0 && before > room.lastSeq) {
      missed(room, seq)
      return
    }
    room.lastSeq = seq
    counters.events++
    const told = rooms.tell(room, item, text)
    counters.deliveries += told
    if (told > 0) parts.published(room, text.length)
  }

  return {
    join(connection, join) {
      const { subscriptionId, stream, group, item, withIds, echo, since } = join
      const before = connection.subscriptions.get(subscriptionId)
      if (before !== undefined) {
        remove(before)
        tellLeft([before.number])
      }
      counters.joined++
      const room = rooms.of({ stream, group })
      const subscription: Subscription = {
        number: ++numbers,
        connection,
        subscriptionId,
        stream,
        group,
        item,
        withIds,
        echo,
        since,
        room,
        state: 'joining',
        askedAtMs: clock.now(),
        granted: false,
        synced: false,
        topic: undefined,
        lostFrom: 0,
      }
      connection.subscriptions.set(subscriptionId, subscription)
      byNumber.set(subscription.number, subscription)
      rooms.add(subscription)
      askToJoin(subscription)
    },
    leave(connection, subscriptionId) {
      const subscription = connection.subscriptions.get(subscriptionId)
      if (subscription === undefined) return
      remove(subscription)
      tellLeft([subscription.number])
    },
    leaveAll(connection) {
      const all = [...connection.subscriptions.values()]
      for (const subscription of all) remove(subscription)
      tellLeft(all.map(({ number }) => number))
    },
    received(parcel) {
      const isOurs =
        key !== undefined &&
        unpackParcel(parcel, key, (row, text) => {
          if (row[0] === 'event') happened(row, text)
          else if (row[0] === 'lost') {
            const room = rooms.find({ stream: row[1], group: row[2] })
            if (room !== undefined) missed(room, row[3])
          } else opened(row, text)
        })
      if (!isOurs) key = unpackGreeting(parcel, secret) ?? key
    },
    lose,
    resync,
    start() {
      attach()
      holdAgain()
      lookForLate()
    },
    drain() {
      isStopped = true
      life++
      letGo()
    },
    stop() {
      isStopped = true
      for (const cancel of cancelTimers) cancel()
    },
  }
}
