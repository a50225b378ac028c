/** What an instance of the gateway makes of what the store half tells it, with sockets and a store half of the test. */
import { describe, expect, test } from 'bun:test'
import type { AnswerReceiver, BuiltInClient, TextCall } from '../../sdk/typescript/src/worker.ts'
import { JSON_NULL, type JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Connection, Socket } from '../../workers/stream/gateway/connection.ts'
import { createCounters } from '../../workers/stream/gateway/counters.ts'
import { createHub } from '../../workers/stream/gateway/hub.ts'
import type { Join } from '../../workers/stream/gateway/request.ts'
import { createRooms } from '../../workers/stream/gateway/rooms.ts'
import { ATTACH, JOIN, LEAVE, RESYNC } from '../../workers/stream/names.ts'
import { packGreeting, packParcel, type Row, unpackParcel } from '../../workers/stream/parcel.ts'
import { createVirtualClock } from '../support/fakes.ts'

const KEY = 'key'

interface Asked extends TextCall {
  answer: AnswerReceiver
}

function setStage() {
  const asked: Asked[] = []
  const clock = createVirtualClock()
  const sockets = new Map<string, Set<Socket>>()
  const sent: string[] = []
  const socket: Socket = {
    send: text => sent.push(text),
    subscribe: topic => void sockets.set(topic, (sockets.get(topic) ?? new Set()).add(socket)),
    unsubscribe: topic => void sockets.get(topic)?.delete(socket),
    getBufferedAmount: () => 0,
    pause() {},
    resume() {},
    close() {},
    terminate() {},
  }
  const rooms = createRooms({
    publish(topic, text) {
      for (const each of sockets.get(topic) ?? []) each.send(text)
    },
    send: ({ connection }, text) => void connection.socket.send(text),
  })
  const counters = createCounters()
  const client = {
    call(call: TextCall, answer: AnswerReceiver) {
      asked.push({ ...call, answer })
      return () => {}
    },
  } as unknown as BuiltInClient
  const hub = createHub({
    client,
    clock,
    gateway: 'gateway',
    secret: 'secret',
    rooms,
    counters,
    timeoutMs: 1000,
    send: (connection, text) => void connection.socket.send(text),
    published() {},
  })
  const connection: Connection = {
    id: 'c',
    socket,
    context: JSON_NULL,
    subscriptions: new Map(),
    topics: new Set(),
    allowance: 0,
    slow: undefined,
    tokens: 1,
    tokensAtMs: 0,
    isPaused: false,
    isOver: false,
  }
  hub.start()
  hub.received(packGreeting('secret', KEY))
  const join: Join = {
    type: 'join',
    subscriptionId: 'sub',
    stream: 's',
    group: 'g',
    item: undefined,
    withIds: false,
    echo: false,
    since: undefined,
  }

  /** Takes what was asked of a function of the store half. */
  function take(functionId: string): Asked[] {
    const found = asked.filter(each => each.functionId === functionId)
    for (const each of found) asked.splice(asked.indexOf(each), 1)
    return found
  }

  return {
    hub,
    rooms,
    clock,
    counters,
    connection,
    sent,
    take,
    join: (more: Partial<Join> = {}) => hub.join(connection, { ...join, ...more }),
    receive: (...rows: Row[]) =>
      hub.received(
        packParcel(
          KEY,
          rows.map(row => ({ row, text: textFor(row) })),
        ),
      ),
  }
}

/** As long as its row says. */
const textFor = (row: Row): string => `"${String(row[0]).padEnd(Number(row.at(-1)) - 2, '.')}"`

const sync = (number: number, seq: number): Row => ['sync', number, seq, 10]
const ready = (number: number, seq: number): Row => ['ready', number, seq, 10]
const event = (seq: number, before: number, item = 'a'): Row => ['event', 's', 'g', item, seq, before, 10]

describe('an event that was lost on the way', () => {
  test('is noticed, and everything is asked for anew', () => {
    const { join, take, receive, sent, counters } = setStage()
    join()
    take(JOIN)[0]!.answer(undefined, '{"unauthorized":false}' as JsonText)
    receive(sync(1, 5), ready(1, 5))
    receive(event(7, 4))
    receive(event(9, 8))
    expect(sent).toHaveLength(2)
    expect(counters.gaps).toBe(1)
    expect(take(RESYNC).map(({ data }) => JSON.parse(data).numbers)).toEqual([[1]])
    // What was written before the fresh sync is part of it.
    receive(event(10, 9))
    expect(sent).toHaveLength(2)
    receive(sync(1, 10), ready(1, 10))
    receive(event(11, 10))
    expect(sent).toHaveLength(4)
  })
})

describe('what does not come', () => {
  test('is asked for anew when the store half says that it has got lost', () => {
    const { join, take, receive } = setStage()
    join()
    take(JOIN)[0]!.answer(undefined, '{"unauthorized":false}' as JsonText)
    receive(sync(1, 5), ready(1, 5))
    receive(['lost', 's', 'unknown', 6, 10], ['lost', 's', 'g', 6, 10])
    expect(take(RESYNC).map(({ data }) => JSON.parse(data).numbers)).toEqual([[1]])
  })

  test('is asked for anew after a while, by those who were let in', () => {
    const { join, take, clock } = setStage()
    join()
    join({ subscriptionId: 'not asked yet' })
    take(JOIN)[0]!.answer(undefined, '{"unauthorized":false}' as JsonText)
    clock.advance(2 * limits.streamJoiningMs)
    expect(take(RESYNC).map(({ data }) => JSON.parse(data).numbers)).toEqual([[1], [1]])
  })

  test('ends the subscription when it cannot be told', () => {
    const { join, take, receive, sent, rooms } = setStage()
    join()
    take(JOIN)[0]!.answer(undefined, '{"unauthorized":false}' as JsonText)
    receive(['refused', 1, 0, 10])
    expect(JSON.parse(sent[0]!).event).toEqual({
      type: 'unauthorized',
      reason: expect.stringContaining('refused'),
    })
    expect([...rooms.all()]).toEqual([])
  })
})

describe('the end of the store half', () => {
  test('is noticed, and everybody who was let in is joined anew, without being asked again', () => {
    const { join, take, receive, sent, clock } = setStage()
    join()
    const [asked] = take(JOIN)
    expect(JSON.parse(asked!.data).rest).toMatchObject({ number: 1, granted: false })
    asked!.answer(undefined, '{"unauthorized":false}' as JsonText)
    receive(sync(1, 5), ready(1, 5))
    join({ subscriptionId: 'second' })
    take(JOIN)
    take(ATTACH)[0]!.answer({ code: 'invocation_stopped', message: '' }, undefined)
    receive(event(6, 5))
    clock.advance(1000)
    expect(take(ATTACH)).toHaveLength(1)
    expect(take(JOIN).map(({ data }) => JSON.parse(data).rest.granted)).toEqual([true, false])
    // The numbers may be those of another history.
    receive(sync(1, 2), ready(1, 2), event(3, 2))
    expect(sent).toHaveLength(4)
  })
})

test('a subscription that is refused is told why', () => {
  const { join, take, sent } = setStage()
  join()
  take(JOIN)[0]!.answer(undefined, '{"unauthorized":true,"reason":"full"}' as JsonText)
  expect(JSON.parse(sent[0]!).event).toEqual({ type: 'unauthorized', reason: 'full' })
})

describe('a subscription that cannot be asked about', () => {
  test('is refused, and the store half forgets it', () => {
    const { join, take, sent, rooms } = setStage()
    join()
    take(JOIN)[0]!.answer({ code: 'invocation_timeout', message: '' }, undefined)
    expect(JSON.parse(sent[0]!).event).toMatchObject({ type: 'unauthorized' })
    expect(take(LEAVE).map(({ data }) => JSON.parse(data).numbers)).toEqual([[1]])
    expect([...rooms.all()]).toEqual([])
  })

  test('waits while the store half is not there', () => {
    const { join, take, sent } = setStage()
    join()
    take(JOIN)[0]!.answer({ code: 'function_not_found', message: '' }, undefined)
    expect(sent).toEqual([])
  })
})

test('rooms and topics go with the last who wants them', () => {
  const { join, take, receive, rooms, hub, connection } = setStage()
  join()
  join({ subscriptionId: '2', item: 'a' })
  join({ subscriptionId: '3', item: 'a' })
  take(JOIN)
  for (const number of [1, 2, 3]) receive(sync(number, 1), ready(number, 1))
  const room = rooms.find({ stream: 's', group: 'g' })!
  expect(connection.topics.size).toBe(2)
  expect(room.alone.size).toBe(1)
  hub.leave(connection, '2')
  expect([...room.items.keys()]).toEqual(['a'])
  hub.leave(connection, '3')
  expect([...room.items.keys()]).toEqual([])
  hub.leaveAll(connection)
  hub.leaveAll(connection)
  expect(connection.topics.size).toBe(0)
  expect([...rooms.all()]).toEqual([])
})

test('a parcel holds texts of any characters, and events of any names', () => {
  const rows: Row[] = [
    ['event', 'ü "\\,', '[', null, 1, 0, 9],
    ['sync', 3, 2, 4],
    ['event', '', '__proto__', 'ids "', 3, 1, 2],
  ]
  const texts = ['{"a":"ü"}', '[[]]', '""']
  const parcel = packParcel(
    KEY,
    rows.map((row, index) => ({ row, text: texts[index]! })),
  )
  JSON.parse(parcel)
  const found: unknown[] = []
  unpackParcel(parcel, KEY, (row, text) => found.push([row, text]))
  expect(found).toEqual(rows.map((row, index) => [row, texts[index]]))
})
