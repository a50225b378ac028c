/** What the store half does about parcels that do not arrive, and about groups in which too much happens. */
import { expect, test } from 'bun:test'
import type { BuiltInClient, TellOptions } from '../../sdk/typescript/src/worker.ts'
import { JSON_NULL, type JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Custom } from '../../workers/stream/custom.ts'
import { createFanOut } from '../../workers/stream/fanOut.ts'
import { createOpening } from '../../workers/stream/opening.ts'
import { type Row, unpackParcel } from '../../workers/stream/parcel.ts'
import type { StreamEvent, StreamStore } from '../../workers/stream/store.ts'
import { createSubscriptions, type Subscription } from '../../workers/stream/subscriptions.ts'
import { createRecordingLog, createVirtualClock } from '../support/fakes.ts'
import { until } from '../support/waiting.ts'

const KEY = 'key'

function setStage(snapshot: () => void = () => {}) {
  const clock = createVirtualClock()
  const subscriptions = createSubscriptions()
  const arrived: { row: Row; text: string }[] = []
  const left: Subscription[] = []
  const way = { isOpen: true }
  let seq = 0
  const client = {
    tellAll(targets: readonly unknown[], parcel: JsonText, { lost }: TellOptions) {
      if (way.isOpen) unpackParcel(parcel, KEY, (row, text) => arrived.push({ row, text }))
      else for (const index of targets.keys()) lost?.(index, 'call_limit')
      return true
    },
  } as unknown as BuiltInClient
  const store = {
    seq: () => seq,
    async snapshot() {
      snapshot()
      return { seq: 0, items: [], isCut: false }
    },
  } as unknown as StreamStore
  const open = createOpening({
    client,
    subscriptions,
    leave(subscription) {
      if (subscriptions.remove(subscription)) left.push(subscription)
    },
    store,
    custom: { has: () => false } as unknown as Custom,
    clock,
    log: createRecordingLog(),
    key: KEY,
  })
  const fanOut = createFanOut({ client, subscriptions, clock, key: KEY })
  const subscription = subscriptions.add(
    {
      gateway: 'gateway',
      connection: 'c',
      number: 1,
      subscriptionId: 'sub',
      stream: 's',
      group: 'g',
      item: undefined,
      context: JSON_NULL,
      withIds: false,
      since: undefined,
      granted: false,
    },
    0,
  )
  const event = (): StreamEvent => ({
    stream: 's',
    group: 'g',
    item: 'a',
    seq: ++seq,
    atMs: 0,
    kind: 'update',
    data: JSON_NULL,
    reason: undefined,
    cause: undefined,
  })
  return { clock, subscriptions, subscription, open, fanOut, event, arrived, left, way }
}

const kinds = (arrived: readonly { row: Row }[]): string[] => arrived.map(({ row }) => row[0])

test('a sync that does not arrive is sent anew', async () => {
  const { clock, open, subscription, arrived, way } = setStage()
  way.isOpen = false
  await open(subscription, undefined)
  expect(arrived).toEqual([])
  way.isOpen = true
  clock.advance(limits.streamLostMs)
  await until('it has come', () => arrived.length === 2)
  expect(kinds(arrived)).toEqual(['sync', 'ready'])
  clock.advance(10 * limits.streamLostMs)
  expect(arrived).toHaveLength(2)
})

test('a gateway is told of groups whose events did not arrive, until it hears of it', async () => {
  const { clock, open, subscription, fanOut, event, arrived, way } = setStage()
  await open(subscription, undefined)
  arrived.length = 0
  way.isOpen = false
  fanOut([event(), event()])
  fanOut([event()])
  clock.advance(limits.streamLostMs)
  way.isOpen = true
  expect(arrived).toEqual([])
  clock.advance(limits.streamLostMs)
  expect(arrived.map(({ row }) => row)).toEqual([['lost', 's', 'g', 3, 1]])
  clock.advance(10 * limits.streamLostMs)
  expect(arrived).toHaveLength(1)
})

test('a subscription to a group in which too much happens comes to an end, and nothing is left out', async () => {
  let storm = (): void => {}
  let reads = 0
  const stage = setStage(() => {
    reads++
    storm()
  })
  storm = () => stage.fanOut(Array.from({ length: limits.streamKeptEvents + 1 }, stage.event))
  await stage.open(stage.subscription, undefined)
  expect(reads).toBe(limits.streamOpenings)
  expect(kinds(stage.arrived)).toEqual(['refused'])
  expect(JSON.parse(stage.arrived[0]!.text)).toContain('join again later')
  expect(stage.left).toEqual([stage.subscription])
  expect(stage.subscriptions.count()).toBe(0)
})
