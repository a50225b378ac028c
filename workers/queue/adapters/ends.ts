/**
 * What becomes of leases that end: what ends in one turn of the event loop is one transaction of the partition.
 *
 *     end ──▶ gathered ──end of turn──▶ submitted ──▶ written
 *                                          │ ├──a row is damaged──▶ each by itself: the others are written
 *                                          │ └──any other refusal──▶ nothing of it is written: as if the messages were given back
 */
import type { Clock } from '../../../src/clock/clock.ts'
import { JSON_NULL } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import type { Command } from '../../../src/storage/command.ts'
import type { Partition, SubmitLevel } from '../../../src/storage/partition.ts'
import type { Lane } from '../../../src/storage/queue/message.ts'
import { CorruptData } from '../../../src/storage/storageError.ts'
import type { BackendSettings, Outcome } from '../backend.ts'
import type { Dispatch } from '../core/dispatch.ts'
import type { Lease } from '../core/lease.ts'
import type { Meter } from '../core/meter.ts'
import { type Ending, verdict } from '../core/verdict.ts'
import { keepsResult } from '../keptResult.ts'
import type { Results } from './results.ts'

export interface EndsParts extends Pick<BackendSettings, 'resultMsOf'> {
  readonly partition: Pick<Partition, 'submit'>
  readonly clock: Clock
  /** The clock on the wall, milliseconds. */
  readonly wallClock: () => number
  /** From 0 to, and without, 1: of the jitter. */
  readonly random: () => number
  readonly dispatch: Pick<Dispatch, 'settle' | 'revive'>
  readonly meter: Meter
  readonly results: Pick<Results, 'keep'>
  /** Messages can be had again whose ends could not be written. */
  readonly available: (lanes: readonly Lane[]) => void
}

export interface Ends {
  /** Of a lease that is over in `dispatch`. Rejects if it could not be written: the message comes again. `level`: default `disk`. */
  end(lease: Lease, ending: Ending, level?: SubmitLevel): Promise<Outcome>
  /** Its message was removed while it goes on: what it ends with is nobody's. */
  removed(lease: Lease): void
  /** The message is not with its holder any more, and is as it was. */
  givenBack(lease: Lease): void
}

interface End {
  readonly lease: Lease
  readonly commands: readonly Command[]
}

interface Batch {
  readonly ends: End[]
  /** Of results. */
  characters: number
  /** The highest that one of them needs. */
  level: SubmitLevel
  /** Resolves with those that could not be written, while the others could. */
  readonly written: Promise<ReadonlyMap<Lease, unknown>>
}

const NONE: ReadonlyMap<Lease, unknown> = new Map()

export function createEnds(parts: EndsParts): Ends {
  const { partition, clock, wallClock, random, dispatch, meter, available, results, resultMsOf } = parts
  let current: Batch | undefined
  /** Messages that were removed while somebody has them. */
  const withoutResult = new Set<number>()

  function begin(): Batch {
    const ends: End[] = []
    const { promise: written, resolve, reject } = Promise.withResolvers<ReadonlyMap<Lease, unknown>>()
    written.catch(() => {})
    const begun: Batch = { ends, characters: 0, level: 'soon', written }
    queueMicrotask(() => {
      if (current === begun) current = undefined
      write(ends, begun.level).then(resolve, reject)
    })
    return begun
  }

  async function write(ends: readonly End[], level: SubmitLevel): Promise<ReadonlyMap<Lease, unknown>> {
    try {
      await partition.submit(
        ends.flatMap(({ commands }) => commands),
        { level },
      )
    } catch (error) {
      if (!(error instanceof CorruptData)) {
        refused(ends)
        throw error
      }
      if (ends.length > 1) return await writeEach(ends, level)
      damaged(ends[0]!)
      throw error
    }
    for (const end of ends) ended(end)
    return NONE
  }

  /** A row is damaged, and nobody knows which. */
  async function writeEach(ends: readonly End[], level: SubmitLevel): Promise<ReadonlyMap<Lease, unknown>> {
    const lost = new Map<Lease, unknown>()
    const writes = ends.map(async end => {
      try {
        await write([end], level)
      } catch (error) {
        lost.set(end.lease, error)
      }
    })
    await Promise.all(writes)
    return lost
  }

  function ended({ lease, commands }: End): void {
    dispatch.settle(lease)
    meter.count(lease.message.queue, commands[0]!.command === 'finish' ? 'done' : 'failed', 1)
  }

  /** They are told of not before there is hope that their ends can be written: a lease that is over has nobody else who would ask. */
  function refused(ends: readonly End[]): void {
    const lanes = ends.flatMap(({ lease }) => dispatch.revive(lease) ?? [])
    clock.after(limits.storageRetryMs, () => available(lanes))
  }

  /** It is in nobody's way until then: the others of its lane go on. */
  function damaged(end: End): void {
    clock.after(limits.storageRetryMs, () => {
      const lane = dispatch.revive(end.lease)
      available(lane === undefined ? [] : [lane])
    })
  }

  return {
    end(lease, ending, level = 'disk') {
      // Nothing of it is left to time or chance.
      const isDone = ending.kind === 'done'
      const nowMs = isDone ? 0 : Math.floor(wallClock())
      const command = verdict(lease, ending, lease.retry, { nowMs, chance: isDone ? 0 : random() })
      const isKept = keepsResult(lease.message.receipt) && !withoutResult.delete(lease.message.number)
      current ??= begin()
      const { ends, written } = current
      if (level === 'disk' || isKept) current.level = 'disk'
      if (isDone && isKept) {
        const { queue, receipt } = lease.message
        const [endedMs, keptMs] = [Math.floor(wallClock()), resultMsOf(queue)]
        const result = results.keep(receipt!, ending.result ?? JSON_NULL, endedMs, keptMs)
        ends.push({ lease, commands: [command, result] })
        current.characters += result.value.length
        // A transaction has an end.
        if (current.characters >= limits.turnCharacters) current = undefined
      } else ends.push({ lease, commands: [command] })
      const outcome: Outcome = isDone
        ? 'done'
        : command.command === 'fail' && command.next === 'never'
          ? 'dead'
          : 'again'
      const promise = written.then(lost => {
        if (lost.has(lease)) throw lost.get(lease)
        return outcome
      })
      promise.catch(() => {})
      return promise
    },
    removed({ message: { number, receipt } }) {
      if (keepsResult(receipt)) withoutResult.add(number)
    },
    givenBack({ message: { number } }) {
      withoutResult.delete(number)
    },
  }
}
