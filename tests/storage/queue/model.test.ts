/** Random commands, done by every kind of tables and by the model: all have to agree after each. `III_TEST_SEED` repeats one. */
import { describe, expect, test } from 'bun:test'
import type { QueueAnswer, QueueCommand } from '../../../src/storage/queue/command.ts'
import { listMessages, MESSAGE_STATES, type MessageState } from '../../../src/storage/queue/list.ts'
import { comparePlaces, laneId } from '../../../src/storage/queue/message.ts'
import { numberOfReceipt } from '../../../src/storage/queue/receipt.ts'
import type { QueueBounds, QueueTables } from '../../../src/storage/queue/tables.ts'
import type { StorageError } from '../../../src/storage/storageError.ts'
import { createRandom, type Random } from '../../support/random.ts'
import { createModel, type Model } from './model.ts'
import { report, type Stage, setQueueStage } from './stage.ts'
import { queueTables } from './tables.ts'

const RUNS = Number(process.env.III_TEST_QUEUE_RUNS ?? 8)
const STEPS = 400
const QUEUES = ['a', 'b', 'topic']
const ALL = [...QUEUES, 'c']

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
      // Nobody has subscribed to it yet.
      functionId: queue === 'topic' ? undefined : maybe(50, () => pick(random, ['f', 'g'], 'h')),
      group: maybe(60, () => pick(random, ['g', 'h'], '\ud800')),
      priority: maybe(40, () => random.between(-2, 3)),
      dueAtMs: maybe(25, later),
      dedupe: maybe(20, () => ({ key: `k${random.between(0, 5)}`, windowMs: random.between(1, 50) })),
    }
  }
  const number = pick(random, model.numbers(), 10 ** 9)
  if (what < 60) return { command: 'finish', number }
  if (what < 82) {
    const next = pick<number | 'now' | 'never'>(random, ['now', 'never', later()], 'now')
    return { command: 'fail', number, report: report(nowMs), next }
  }
  if (what < 88) {
    const receipt = maybe(50, () => pick(random, model.receipts(), 'nobody'))
    return { command: 'redrive', queue, receipt, limit: receipt === undefined ? random.between(1, 4) : 1 }
  }
  const receipt = pick(random, model.receipts(), 'nobody')
  switch (random.between(0, 8)) {
    case 0:
    case 1:
      return { command: 'discard', queue, receipt }
    case 2:
      return random.between(0, 2) === 0 ? { command: 'cancel', receipt } : { command: 'cancel', number }
    case 3:
      return { command: 'purge', queue, state: pick(random, MESSAGE_STATES, 'dead'), limit: 1000 }
    case 4:
      return random.between(0, 3) > 0 ? { command: 'drop', queue } : { command: 'purge', queue, limit: 1000 }
    case 5:
      return { command: 'adopt', from: 'topic', to: queue, functionId: maybe(50, () => 'f'), limit: 1000 }
    case 6:
      return {
        command: 'configure',
        queue,
        bounds: pick<QueueBounds>(random, [{ messages: 12 }, { dead: 3 }, { messages: 20, dead: 1 }], {}),
      }
    default:
      return { command: random.between(0, 2) === 0 ? 'pause' : 'resume', queue }
  }
}

function available(tables: QueueTables, queue: string, nowMs: number): number[] {
  const all = tables.lanes(queue).flatMap(lane => {
    const found = [...tables.ready(lane, undefined, 1000), ...tables.due(lane, nowMs, undefined, 1000)]
    for (const message of found) expect(laneId(message)).toBe(laneId(lane))
    return found
  })
  return all.sort(comparePlaces).map(({ number }) => number)
}

/** In pages of a few. */
function listed({ tables, nowMs }: Stage, queue: string, state: MessageState): number[] {
  const found: number[] = []
  let cursor: string | undefined
  do {
    const page = listMessages(tables, nowMs, { queue, state, cursor, limit: 7 })
    found.push(...page.messages.map(({ number }) => number))
    cursor = page.cursor
  } while (cursor !== undefined)
  return found.sort((one, other) => one - other)
}

function compare(stage: Stage, model: Model, withLists: boolean): void {
  const { tables, nowMs } = stage
  expect(tables.queues(undefined, 10).map(({ name }) => name)).toEqual(model.queues().sort())
  for (const queue of ALL) {
    for (const state of withLists ? MESSAGE_STATES : []) {
      expect([queue, state, listed(stage, queue, state)]).toEqual([
        queue,
        state,
        model.inState(queue, state, nowMs),
      ])
    }
    expect(tables.queue(queue)?.isPaused ?? false).toBe(model.isPaused(queue))
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

/** `undefined`: the queue is full. A duplicate is answered all the same. */
function refused(stage: Stage, command: QueueCommand): QueueAnswer | undefined {
  try {
    return stage.run(command)
  } catch (error) {
    expect((error as StorageError).code).toBe('queue_full')
    return undefined
  }
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
    if (random.between(0, 10) === 0) opened.undone(() => void refused(stage, command))
    const isRefused = command.command === 'enqueue' && model.isFull(command.queue)
    const answer = isRefused ? refused(stage, command) : stage.run(command)
    if (answer === undefined) continue
    expect(answer.count).toBe(model.run(command, stage.nowMs, given(stage, answer)))
    // Whoever looks at everything sees to it that everything has its row.
    if (random.between(0, 3) === 0) compare(stage, model, step % 8 === 0)
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
