/**
 * Producers, workers that come and go, and an engine that is killed now and then, by chance. What is handed out is compared with
 * the model of queues: nothing that could be handed out is forgotten, nothing is with two, groups are in order, and in the end
 * all messages are done or dead. `III_TEST_SEED` repeats a run.
 */
import { expect, test } from 'bun:test'
import type { QueueCommand } from '../../../src/storage/queue/command.ts'
import { numberOfReceipt } from '../../../src/storage/queue/receipt.ts'
import type { Lease } from '../../../workers/queue/core/lease.ts'
import { type Ending, verdict } from '../../../workers/queue/core/verdict.ts'
import { createModel, type Model } from '../../storage/queue/model.ts'
import { report } from '../../storage/queue/stage.ts'
import { createRandom, type Random } from '../../support/random.ts'
import { type DispatchStage, retries, setDispatchStage } from './support.ts'

const RUNS = Number(process.env.III_TEST_QUEUE_RUNS ?? 8)
const STEPS = 400
const CONCURRENCY = 5

interface Game {
  readonly random: Random
  readonly stage: DispatchStage
  readonly model: Model
  /** By number. */
  readonly held: Map<number, Lease>
}

function run({ stage, model }: Game, command: QueueCommand): void {
  const { receipt, count } = stage.queue.run(command)
  const given = receipt === undefined ? undefined : { receipt, number: numberOfReceipt(receipt)! }
  expect(model.run(command, stage.queue.nowMs, given)).toBe(count)
}

function publish(game: Game): void {
  const { random, stage } = game
  const maybe = <Value>(value: Value): Value | undefined => (random.between(0, 2) === 0 ? value : undefined)
  run(game, {
    command: 'enqueue',
    queue: 'q',
    data: '1' as never,
    group: maybe(`g${random.between(0, 4)}`),
    priority: maybe(random.between(-1, 3)),
    dueAtMs: random.between(0, 4) === 0 ? stage.queue.nowMs + random.between(0, 200) : undefined,
  })
}

function take(game: Game): void {
  const { random, stage, model, held } = game
  stage.commit()
  const free = CONCURRENCY - held.size
  const able = model.available('q', stage.queue.nowMs).filter(number => !held.has(number))
  const max = random.between(1, CONCURRENCY + 1)
  const leases = stage.take(max, `w${random.between(0, 3)}`)
  expect(leases).toHaveLength(Math.min(max, free, able.length))
  for (const lease of leases) {
    expect(able).toContain(lease.message.number)
    expect(lease.attempt).toBe(model.failures(lease.message.number)! + 1)
    held.set(lease.message.number, lease)
  }
}

function write(game: Game, lease: Lease, ending: Ending): void {
  const { stage, held } = game
  run(game, verdict(lease, ending, retries, { nowMs: stage.queue.nowMs, chance: 0 }))
  held.delete(lease.message.number)
}

function end(game: Game): void {
  const { random, stage, held } = game
  const lease = [...held.values()][random.between(0, held.size)]
  if (lease === undefined) return
  const how = random.between(0, 10)
  if (how === 0) {
    expect(stage.dispatch.giveBack(lease.token)).toBe(true)
    held.delete(lease.message.number)
    return
  }
  expect(stage.dispatch.end(lease.token)?.message).toEqual(lease.message)
  if (how === 1) {
    stage.dispatch.revive(lease)
    held.delete(lease.message.number)
  } else if (how < 5) write(game, lease, { kind: 'failed', report: report(stage.queue.nowMs) })
  else write(game, lease, { kind: 'done' })
  stage.commit()
}

function step(game: Game): void {
  const { random, stage, held } = game
  stage.queue.nowMs += random.between(0, 8)
  const what = random.between(0, 100)
  if (what < 40) publish(game)
  else if (what < 65) take(game)
  else if (what < 92) end(game)
  else if (what < 94) {
    for (const lease of stage.dispatch.leave(`w${random.between(0, 3)}`)) {
      write(game, lease, { kind: 'lost', report: report(stage.queue.nowMs) })
    }
  } else if (what < 97) {
    for (const lease of stage.dispatch.expired(stage.queue.nowMs)) {
      write(game, lease, { kind: 'failed', report: report(stage.queue.nowMs) })
    }
  } else if (what < 99) run(game, { command: 'redrive', queue: 'q', limit: 3 })
  else {
    stage.restart()
    held.clear()
  }
  expect(stage.dispatch.leased('q')).toBe(held.size)
}

/** Time goes on until nothing waits. */
function drain(game: Game): void {
  const { stage, held } = game
  while (stage.queue.tables.counts('q').waiting > 0) {
    take(game)
    for (const lease of held.values()) {
      stage.dispatch.end(lease.token)
      write(game, lease, { kind: 'done' })
    }
    stage.commit()
    if (held.size === 0) stage.queue.nowMs += 20
  }
}

test('whatever happens, messages are handed out as the model says, and all come to an end', () => {
  const { seed } = createRandom()
  for (let round = 0; round < RUNS; round++) {
    try {
      using stage = setDispatchStage({ concurrency: CONCURRENCY, leaseMs: 60, windowSize: 3 })
      const random = createRandom(seed + round)
      const game: Game = { random, stage, model: createModel(), held: new Map() }
      for (let count = 0; count < STEPS; count++) step(game)
      drain(game)
      expect(game.model.waiting('q')).toBe(0)
    } catch (error) {
      throw new Error(`III_TEST_SEED=${seed + round} repeats it: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }
}, 60_000)
