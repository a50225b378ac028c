/**
 * Reads a ring as long as its thread lives: drains it in batches, looks a moment longer, then sleeps until rung.
 *
 *     asleep ──rung──▶ draining ──nothing left──▶ looking ──nothing came──▶ asleep
 *                        ▲  │ some batches in a row: one turn of the event loop
 *                        └──┘
 */
import type { Clock } from '../clock/clock.ts'
import { limits } from '../protocol/limits.ts'
import { createSleeper } from './bell.ts'
import { createRingReader, type OnRecord } from './ring.ts'
import { READER_BELL, type RingMemory } from './ringMemory.ts'

export interface RingListener {
  /** Lets records wait in the ring. Those of the batch that is under way still come. */
  pause(): void
  resume(): void
  /** Reads now what is there. Does nothing from within a record. */
  catchUp(): void
  stop(): void
  /** Wake-ups that the platform lost and the regular look made good. */
  missedWakeUps(): number
}

export interface ListenOptions {
  readonly onRecord: OnRecord
  /** After each batch: the moment to send what the records gave rise to. */
  readonly afterBatch: () => void
  readonly clock: Clock
  /** Runs a task after the event loop had its turn. */
  readonly later: (task: () => void) => void
  /** Looks before going to sleep; default `limits.ringSpins`. */
  readonly spins?: number
}

/** Begins to read. What is in the ring already is delivered in a turn of its own. */
export function listenToRing(memory: RingMemory, options: ListenOptions): RingListener {
  const { onRecord, afterBatch, clock, later, spins = limits.ringSpins } = options
  const reader = createRingReader(memory)
  let stopped = false
  let paused = false
  let running = false
  let draining = false

  function drain(): number {
    draining = true
    try {
      return reader.drain(onRecord)
    } finally {
      draining = false
    }
  }

  function hasRecordsSoon(): boolean {
    for (let spin = 0; spin < spins; spin++) {
      if (reader.hasRecords()) return true
      memory.pause()
    }
    return reader.hasRecords()
  }

  /** True: it sleeps, and will be woken. */
  function readOn(): boolean {
    for (let batches = 0; !stopped && !paused; ) {
      if (drain() > 0) {
        afterBatch()
        if (++batches < limits.ringBatchesInARow) continue
        later(run)
        return true
      }
      if (!hasRecordsSoon() && sleeper.sleep()) return true
    }
    return false
  }

  function run(): void {
    running = true
    try {
      running = readOn()
    } catch (error) {
      // What came behind is read all the same, if the thread outlives it.
      later(run)
      throw error
    }
  }

  const sleeper = createSleeper(
    memory,
    READER_BELL,
    { mayWait: reader.mayWait, hasWork: reader.hasRecords, wake: run },
    clock,
  )
  running = true
  later(run)

  return {
    pause() {
      paused = true
    },
    resume() {
      if (!paused) return
      paused = false
      if (!running) {
        running = true
        later(run)
      }
    },
    catchUp() {
      if (!draining && !paused && !stopped && reader.hasRecords()) drain()
    },
    stop() {
      stopped = true
      sleeper.stop()
    },
    missedWakeUps: sleeper.missed,
  }
}
