/**
 * What the threads have counted, so that it outlives them: a shard writes its counters into shared memory as often as it
 * says that it lives, and as its last act; the main thread adds what the shards of a place have counted one after another.
 */
import type { Place } from '../engine/routes.ts'
import type { EngineCounters } from '../engine/state.ts'
import { type Counters, sumCounters } from './account.ts'

const NAMES = [
  'calls',
  'voidCalls',
  'answers',
  'timeouts',
  'lateResults',
  'lostVoids',
  'voidResults',
  'problems',
  'faults',
  'telemetryFrames',
  'strangeTelemetry',
  'slowReaders',
] as const satisfies readonly (keyof EngineCounters)[]

/** Returns what writes down the counters of a shard as they are then. */
export function ledgerWriter(page: SharedArrayBuffer, counters: EngineCounters): () => void {
  const numbers = new Float64Array(page)
  return () => {
    for (let index = 0; index < NAMES.length; index++) numbers[index] = counters[NAMES[index]!]
  }
}

export interface Ledger {
  /** A shard begins in this place; it writes on the page that is returned. */
  begins(place: Place): SharedArrayBuffer
  /** It has said this. */
  said(place: Place, counters: EngineCounters): void
  /** It is no more. What it may still write does not count. */
  lost(place: Place): void
  /** All that the shards of a place have counted, of the one that is there as far as it is known. Never becomes less. */
  total(place: Place): Counters
}

export function createLedger(): Ledger {
  const before = new Map<Place, Counters>()
  const pages = new Map<Place, Float64Array>()
  const lastSaid = new Map<Place, EngineCounters>()

  /** What was said may be newer than what is written, or older. */
  function current(place: Place): Counters {
    const page = pages.get(place)
    const said = lastSaid.get(place)
    const entries = NAMES.map((name, index) => [name, Math.max(page?.[index] ?? 0, said?.[name] ?? 0)])
    return Object.fromEntries(entries) as Counters
  }

  function total(place: Place): Counters {
    const earlier = before.get(place)
    return earlier === undefined ? current(place) : sumCounters([earlier, current(place)])
  }

  return {
    begins(place) {
      const page = new SharedArrayBuffer(NAMES.length * Float64Array.BYTES_PER_ELEMENT)
      pages.set(place, new Float64Array(page))
      return page
    },
    said: (place, counters) => void lastSaid.set(place, counters),
    lost(place) {
      before.set(place, total(place))
      pages.delete(place)
      lastSaid.delete(place)
    },
    total,
  }
}
