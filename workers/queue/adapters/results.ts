/**
 * What messages have ended with, as entries of the partition. All of them together have a bound: the oldest go when younger ones
 * need the room, before their time if need be, so that whoever publishes does not have to ask how much is kept.
 */
import type { Clock } from '../../../src/clock/clock.ts'
import type { JsonText } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import type { Collection, Command } from '../../../src/storage/command.ts'
import type { Partition } from '../../../src/storage/partition.ts'
import { hasExpired, type ReadTables } from '../../../src/storage/tables.ts'
import { type KeptResult, keptResultOf, resultText } from '../keptResult.ts'

/** By receipt. */
const RESULTS: Collection = { space: 'queue', name: 'results', group: '' }

export interface Results {
  /** Keeps a result, in the transaction in which its message ends. Wall clock, milliseconds. */
  keep(
    receipt: string,
    result: JsonText,
    nowMs: number,
    keptMs: number,
  ): Command & { readonly value: JsonText }
  get(tables: ReadTables, receipt: string, nowMs: number): KeptResult | undefined
  stop(): void
}

export interface ResultsParts {
  readonly partition: Partition
  readonly clock: Clock
  /** Bytes of all results together, with what each takes beside (`queueResultExtraBytes`). */
  readonly mostBytes: number
}

export function createResults({ partition, clock, mostBytes }: ResultsParts): Results {
  /** `undefined`: not counted yet. */
  let bytes: number | undefined
  /** What was told while they were counted, which may have seen it or not. */
  let meanwhile: { readonly revision: number; readonly by: number }[] = []
  let isMakingRoom = false
  let isStopped = false

  const unfollow = partition.follow(({ changes, queues }) => {
    // What was written is not known: they are counted anew.
    if (queues?.some(({ event }) => event === 'unheard')) bytes = undefined
    let isTouched = false
    for (const { revision, space, name, oldValue, newValue } of changes) {
      if (space !== RESULTS.space || name !== RESULTS.name) continue
      isTouched = true
      const by = sizeOf(newValue) - sizeOf(oldValue)
      if (bytes === undefined) meanwhile.push({ revision, by })
      else bytes += by
    }
    if (isTouched) void makeRoom()
  })

  async function count(): Promise<number> {
    const { size, revision } = await partition.read((tables, _, revision) => ({
      size: tables.sizeOf(RESULTS),
      revision,
    }))
    let sum = size.bytes + size.entries * limits.queueResultExtraBytes
    for (const each of meanwhile) if (each.revision > revision) sum += each.by
    meanwhile = []
    return sum
  }

  /** The oldest of them, as many as are too many; not more than what others may wait for. */
  async function removeOldest(over: number): Promise<void> {
    const oldest = await partition.read(tables =>
      tables.list(RESULTS, { prefix: undefined, after: undefined, limit: limits.listPortion }),
    )
    const commands: Command[] = []
    let removed = 0
    for (const { key, value } of oldest) {
      if (removed >= over) break
      removed += sizeOf(value)
      commands.push({
        command: 'remove',
        collection: RESULTS,
        key,
        ifVersion: undefined,
        tellsMissing: false,
      })
    }
    await partition.submit(commands)
  }

  async function makeRoom(): Promise<void> {
    if (isMakingRoom || isStopped) return
    isMakingRoom = true
    try {
      while (!isStopped) {
        bytes ??= await count()
        if (bytes <= mostBytes) break
        await removeOldest(bytes - mostBytes)
      }
      isMakingRoom = false
    } catch {
      // Nothing can be written, or be read, for now.
      bytes = undefined
      clock.after(limits.storageRetryMs, () => {
        isMakingRoom = false
        void makeRoom()
      })
    }
  }

  return {
    keep: (receipt, result, nowMs, keptMs) => ({
      command: 'put',
      collection: RESULTS,
      key: receipt,
      value: resultText(result, nowMs),
      ifVersion: undefined,
      expiresAtMs: nowMs + keptMs,
      isQuiet: true,
    }),
    get(tables, receipt, nowMs) {
      const entry = tables.get(RESULTS, receipt)
      if (entry === undefined || hasExpired(entry, nowMs)) return undefined
      return keptResultOf(entry.value, entry.expiresAtMs)
    },
    stop() {
      isStopped = true
      unfollow()
    },
  }
}

const sizeOf = (value: JsonText | undefined): number =>
  value === undefined ? 0 : Buffer.byteLength(value) + limits.queueResultExtraBytes
