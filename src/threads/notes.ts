/**
 * What threads tell each other besides frames: commands for the directory, and what follows from them. Rare and of many
 * shapes, and payloads in them are texts already: so they are JSON. A field that is absent is as good as one that is
 * `undefined`.
 */
import type { Command } from '../engine/directory/command.ts'
import type { Effect } from '../engine/effects.ts'
import { limits } from '../protocol/limits.ts'

/** Something for a thread to do, or `'answered'`: the oldest command it has given was carried out. */
export type Item = Effect | 'answered'

/** To the main thread. */
export type Report =
  | { readonly note: 'commands'; readonly commands: readonly Command[] }
  /** A version is missing: everything is needed again. */
  | { readonly note: 'resync' }

/** From the main thread. `version` counts the orders to one thread, so that a gap is noticed. */
export type Order =
  | { readonly note: 'items'; readonly version: number; readonly items: readonly Item[] }
  /** A part of all routes; they count when the last part has come. */
  | {
      readonly note: 'snapshot'
      readonly version: number
      readonly isFirst: boolean
      readonly isLast: boolean
      readonly routes: readonly Effect[]
      /** Commands of this thread that were carried out since its start. */
      readonly answered: number
    }

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const packNote = (note: Report | Order): Uint8Array => encoder.encode(JSON.stringify(note))

export const readReport = (bytes: Uint8Array): Report => JSON.parse(decoder.decode(bytes)) as Report
export const readOrder = (bytes: Uint8Array): Order => JSON.parse(decoder.decode(bytes)) as Order

/** UTF-8 needs at most this for each unit of a string, and so do escapes but those of control characters. */
const BYTES_PER_UNIT = 3
/** More than a number takes, or what is around a string, an object or the name of a property. */
const OVERHEAD_BYTES = 16

/** At most about this many bytes when packed. Not deep: payloads are texts. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return OVERHEAD_BYTES + value.length * BYTES_PER_UNIT
  let size = OVERHEAD_BYTES
  if (typeof value !== 'object' || value === null) return size
  for (const [name, part] of Object.entries(value)) size += name.length * BYTES_PER_UNIT + sizeOf(part)
  return size
}

/**
 * What goes into one note each: as much as fits into `limits.noteBytes`, or a single part that is larger. At least one,
 * which is empty if there are no parts.
 */
export function* cutIntoNotes<Part>(parts: readonly Part[]): Iterable<readonly Part[]> {
  let start = 0
  let size = 0
  for (const [index, part] of parts.entries()) {
    const more = sizeOf(part)
    if (index > start && size + more > limits.noteBytes) {
      yield parts.slice(start, index)
      start = index
      size = 0
    }
    size += more
  }
  yield parts.slice(start)
}
