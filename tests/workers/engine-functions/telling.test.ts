/** Telling any number of triggers of a change costs their neighbours little, and what waits is bounded. */
import { describe, expect, test } from 'bun:test'
import type { AnswerReceiver, WorkerClient } from '../../../sdk/typescript/src/worker.ts'
import { asJsonText } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import { watchAvailability } from '../../../workers/engine-functions/availability.ts'
import type { Catalogue, CatalogueEvent } from '../../../workers/engine-functions/catalogue.ts'
import { createTeller, createWatcher, type Watcher } from '../../../workers/engine-functions/telling.ts'
import { createRecordingLog, createVirtualClock } from '../../support/fakes.ts'

const { changeCallsPerTurn, changeCallsInFlight, changePauseMs, changesWaiting } = limits
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
  const answers: AnswerReceiver[] = []
  const client: Partial<WorkerClient> = {
    call({ functionId }, answer) {
      called.push(functionId)
      answers.push(answer)
      return () => {}
    },
  }
  const teller = createTeller(client as WorkerClient, clock, log)
  return { clock, log, called, answers, client, teller }
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

  test('that do not answer are left out while very many calls are unanswered; those that answer are not', () => {
    const { teller, called, answers, clock, log } = setUp()
    const silent = watchersUpTo(changeCallsInFlight)
    const other = createWatcher(binding(-1))
    teller.tell([{ watchers: silent, payload: () => DATA }])
    clock.advance(1000)
    called.length = 0
    for (let i = 0; i < 3; i++) {
      teller.tell([{ watchers: [...silent.slice(0, 100), other], payload: () => DATA }])
      clock.advance(1000)
      answers.pop()!(undefined, undefined)
    }
    expect(called).toEqual(['watch::-1', 'watch::-1', 'watch::-1'])
    expect(log.lines.map(({ fields }) => fields.count)).toEqual([1, 10, 100])
    for (const answer of answers.splice(0)) answer(undefined, undefined)
    teller.tell([{ watchers: silent.slice(0, 1), payload: () => DATA }])
    expect(called.at(-1)).toBe('watch::0')
  })

  test('that all fail are worth a bounded number of lines', () => {
    const { teller, answers, clock, log } = setUp()
    teller.tell([{ watchers: watchersUpTo(5000), payload: () => DATA }])
    clock.advance(1000)
    for (const answer of answers) answer({ code: 'function_not_found', message: 'none' }, undefined)
    expect(log.warnings()).toHaveLength(52)
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
  const { workers } = watchAvailability(client as WorkerClient, catalogue as Catalogue, clock, log)
  workers.bind(binding(0))
  const flood = changesWaiting + changeCallsPerTurn + 20
  for (let i = 0; i < flood; i++) changed?.({ kind: 'worker', event: 'worker_connected', workerId: `${i}` })
  await new Promise(resolve => setImmediate(resolve))
  expect(log.warnings().length).toBeLessThan(4)
  clock.advance(60_000)
  expect(called.length).toBeLessThanOrEqual(changesWaiting + changeCallsPerTurn)
  expect(called.length).toBeGreaterThan(changesWaiting)
})
