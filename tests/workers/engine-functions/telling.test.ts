/** Telling any number of triggers of a change costs their neighbours little, and what waits is bounded. */
import { describe, expect, test } from 'bun:test'
import type { BuiltInClient } from '../../../sdk/typescript/src/worker.ts'
import { asJsonText } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import { watchAvailability } from '../../../workers/engine-functions/availability.ts'
import type { Catalogue, CatalogueEvent } from '../../../workers/engine-functions/catalogue.ts'
import { createTeller, createWatcher, type Watcher } from '../../../workers/engine-functions/telling.ts'
import { createRecordingLog, createVirtualClock } from '../../support/fakes.ts'

const { changeCallsPerTurn, changePauseMs, changesWaiting } = limits
const DATA = asJsonText('{}')

function binding(index: number) {
  return {
    id: `T${index}`,
    trigger_type: 'engine::workers-available',
    function_id: `watch::${index}`,
    config: DATA,
    metadata: undefined,
    namespace: undefined,
  }
}

const watchersUpTo = (count: number): Watcher[] =>
  Array.from({ length: count }, (_, index) => createWatcher(binding(index)))

/** A client that keeps what it is asked to call, and how the answers are given. */
function setUp() {
  const clock = createVirtualClock()
  const log = createRecordingLog()
  const called: string[] = []
  /** How many were called by each fan-out. */
  const payloads: number[] = []
  const client: Partial<BuiltInClient> = {
    tellAll(targets) {
      called.push(...targets.map(({ functionId }) => functionId))
      payloads.push(targets.length)
      return true
    },
  }
  const teller = createTeller(client as BuiltInClient, clock)
  return { clock, log, called, payloads, client, teller }
}

describe('many watchers', () => {
  test('are told a few hundred at a time with pauses between, in order, each once', () => {
    const { teller, called, clock } = setUp()
    const count = 3 * changeCallsPerTurn + 7
    teller.tell([{ watchers: watchersUpTo(count), payload: () => DATA }])
    expect(called).toHaveLength(changeCallsPerTurn)
    clock.advance(changePauseMs)
    expect(called).toHaveLength(2 * changeCallsPerTurn)
    clock.advance(10 * changePauseMs)
    expect(called).toEqual(Array.from({ length: count }, (_, index) => `watch::${index}`))
    expect([teller.waiting(), clock.pending()]).toEqual([0, 0])
  })

  test('hear of a second change after all of them have heard of the first', () => {
    const { teller, called, clock } = setUp()
    const watchers = watchersUpTo(changeCallsPerTurn + 1)
    teller.tell([{ watchers, payload: () => DATA }])
    teller.tell([{ watchers: watchers.slice(0, 1), payload: () => DATA }])
    clock.advance(10 * changePauseMs)
    expect(called.slice(-2)).toEqual([`watch::${changeCallsPerTurn}`, 'watch::0'])
  })

  test('that are unbound while others are told are not called, and nobody is after the end', () => {
    const { teller, called, clock } = setUp()
    const watchers = watchersUpTo(3 * changeCallsPerTurn)
    teller.tell([{ watchers, payload: () => DATA }])
    watchers[changeCallsPerTurn]!.isOver = true
    clock.advance(changePauseMs)
    expect(called).not.toContain(`watch::${changeCallsPerTurn}`)
    teller.stop()
    clock.advance(10 * changePauseMs)
    expect(called).toHaveLength(2 * changeCallsPerTurn)
  })

  test('get their payload in one fan-out for each portion', () => {
    const { teller, payloads, clock } = setUp()
    teller.tell([{ watchers: watchersUpTo(changeCallsPerTurn + 3), payload: () => DATA }])
    clock.advance(10 * changePauseMs)
    expect(payloads).toEqual([changeCallsPerTurn, 3])
  })
})

test('changes of workers that come faster than they can be told are bounded; the rest is counted', async () => {
  const { clock, log, called, client } = setUp()
  let changed: ((event: CatalogueEvent) => void) | undefined
  const catalogue: Partial<Catalogue> = {
    watch(listener) {
      changed = listener
      return () => {}
    },
  }
  const { workers } = watchAvailability(client as BuiltInClient, catalogue as Catalogue, clock, log)
  workers.bind(binding(0))
  const flood = changesWaiting + changeCallsPerTurn + 20
  for (let i = 0; i < flood; i++) changed?.({ kind: 'worker', event: 'worker_connected', workerId: `${i}` })
  await new Promise(resolve => setImmediate(resolve))
  expect(log.warnings().length).toBeLessThan(4)
  clock.advance(60_000)
  expect(called.length).toBeLessThanOrEqual(changesWaiting + changeCallsPerTurn)
  expect(called.length).toBeGreaterThan(changesWaiting)
})
