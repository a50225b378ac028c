/** Random commands, done by every kind of tables and by the model: all have to agree after each. `III_TEST_SEED` repeats one. */
import { describe, expect, test } from 'bun:test'
import type { QueueAnswer, QueueCommand } from '../../../src/storage/queue/command.ts'
import { comparePlaces, laneId } from '../../../src/storage/queue/message.ts'
import { numberOfReceipt } from '../../../src/storage/queue/receipt.ts'
import type { QueueTables } from '../../../src/storage/queue/tables.ts'
import { createRandom, type Random } from '../../support/random.ts'
import { createModel, type Model } from './model.ts'
import { report, type Stage, setQueueStage } from './stage.ts'
import { queueTables } from './tables.ts'

const RUNS = Number(process.env.III_TEST_QUEUE_RUNS ?? 8)
const STEPS = 250
const QUEUES = ['a', 'b']

/** Mostly of what is there, sometimes of nothing. */
function pick<Item>(random: Random, items: readonly Item[], none: Item): Item {
  return items.length === 0 || random.between(0, 20) === 0 ? none : items[random.between(0, items.length)]!
}

function randomCommand(random: Random, model: Model, nowMs: number): QueueCommand {
  const queue = pick(random, QUEUES, 'c')
  const maybe = <Value>(chance: number, value: () => Value): Value | undefined =>
    random.between(0, 100) < chance ? value() : undefined
  const later = (): number => nowMs + random.between(0, 60)
  const what = random.between(0, 100)
  if (what < 45) {
    return {
      command: 'enqueue',
      queue,
      data: `${random.between(0, 1000)}` as never,
      receipt: maybe(30, () => `r${random.between(0, 400)}`),
      functionId: maybe(50, () => pick(random, ['f', 'g'], 'h')),
      group: maybe(60, () => pick(random, ['g', 'h'], '\ud800')),
      priority: maybe(40, () => random.between(-2, 3)),
      dueAtMs: maybe(25, later),
      dedupe: maybe(20, () => ({ key: `k${random.between(0, 5)}`, windowMs: random.between(1, 50) })),
    }
  }
  const number = pick(random, model.numbers(), 10 ** 9)
  if (what < 65) return { command: 'finish', number }
  if (what < 90) {
    const next = pick<number | 'now' | 'never'>(random, ['now', 'never', later()], 'now')
    return { command: 'fail', number, report: report(nowMs), next }
  }
  if (what < 96) {
    const receipt = maybe(50, () => pick(random, model.receipts(), 'nobody'))
    return { command: 'redrive', queue, receipt, limit: receipt === undefined ? random.between(1, 4) : 1 }
  }
  return { command: 'discard', queue, receipt: pick(random, model.receipts(), 'nobody') }
}

function available(tables: QueueTables, queue: string, nowMs: number): number[] {
  const all = tables.lanes(queue).flatMap(lane => {
    const found = [...tables.ready(lane, undefined, 1000), ...tables.due(lane, nowMs, undefined, 1000)]
    for (const message of found) expect(laneId(message)).toBe(laneId(lane))
    return found
  })
  return all.sort(comparePlaces).map(({ number }) => number)
}

function compare(stage: Stage, model: Model): void {
  const { tables, nowMs } = stage
  for (const queue of [...QUEUES, 'c']) {
    expect(available(tables, queue, nowMs)).toEqual(model.available(queue, nowMs))
    const dead = tables.dead(queue, undefined, 1000).map(({ number }) => number)
    expect(dead).toEqual(model.dead(queue))
    expect(tables.counts(queue)).toMatchObject({ waiting: model.waiting(queue), dead: dead.length })
  }
  for (const number of model.numbers()) expect(tables.get(number)?.failures).toBe(model.failures(number)!)
}

function given(stage: Stage, { receipt, isDuplicate }: QueueAnswer) {
  if (receipt === undefined || isDuplicate === true) return undefined
  return { receipt, number: numberOfReceipt(receipt) ?? stage.tables.byReceipt(receipt)!.number }
}

/** Some of the commands are done, undone, and done again. */
function play(seed: number, open: (typeof queueTables)[number][1]): void {
  const random = createRandom(seed)
  using opened = open()
  const stage = setQueueStage(opened.tables)
  const model = createModel()
  for (let step = 0; step < STEPS; step++) {
    stage.nowMs += random.between(0, 10)
    const command = randomCommand(random, model, stage.nowMs)
    if (random.between(0, 10) === 0) opened.undone(() => void stage.run(command))
    const answer = stage.run(command)
    expect(answer.count).toBe(model.run(command, stage.nowMs, given(stage, answer)))
    compare(stage, model)
  }
}

describe.each(queueTables)('queues in %s', (_, open) => {
  test('do what the model does', () => {
    const { seed } = createRandom()
    for (let run = 0; run < RUNS; run++) {
      try {
        play(seed + run, open)
      } catch (error) {
        throw new Error(`III_TEST_SEED=${seed + run} repeats it: ${(error as Error).message}`, {
          cause: error,
        })
      }
    }
  }, 60_000)
})
