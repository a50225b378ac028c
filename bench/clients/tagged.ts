/** Messages that say which call of a loop they belong to: `{"m":"<call, 9 digits>:<place, 4 digits>", …}`, as large as a small order. */
import { REQUEST } from './wire.ts'

const CALL_DIGITS = 9
const PLACE_DIGITS = 4
const MARK = '"m":"'
const MARK_BYTES = Buffer.from(MARK)

export const taggedMessage = (call: number, place: number): string =>
  `{${MARK}${String(call).padStart(CALL_DIGITS, '0')}:${String(place).padStart(PLACE_DIGITS, '0')}",${REQUEST.slice(1)}`

/** Reads tags out of messages; most of them lie where the one before lay. */
export function createTagReader(found: (call: number, place: number) => void) {
  let offset = 0

  function digits(bytes: Uint8Array, from: number, count: number): number {
    let value = 0
    for (let at = from; at < from + count; at++) value = value * 10 + bytes[at]! - 48
    return value
  }

  function isMark(bytes: Uint8Array, at: number): boolean {
    for (let i = 0; i < MARK_BYTES.length; i++) if (bytes[at + i] !== MARK_BYTES[i]) return false
    return true
  }

  return {
    /** False: `bytes[from..to)` has none. */
    read(bytes: Buffer, from: number, to: number): boolean {
      if (from + offset >= to || !isMark(bytes, from + offset)) {
        const at = bytes.indexOf(MARK_BYTES, from)
        if (at < 0 || at >= to) return false
        offset = at - from
      }
      const callAt = from + offset + MARK_BYTES.length
      found(digits(bytes, callAt, CALL_DIGITS), digits(bytes, callAt + CALL_DIGITS + 1, PLACE_DIGITS))
      return true
    },
    readText(text: string): boolean {
      const at = text.indexOf(MARK)
      if (at < 0) return false
      const callAt = at + MARK.length
      const placeAt = callAt + CALL_DIGITS + 1
      found(Number(text.slice(callAt, placeAt - 1)), Number(text.slice(placeAt, placeAt + PLACE_DIGITS)))
      return true
    },
  }
}

/** A message counts as answered when it has come `copies` times. */
export function createCopyCounter(
  places: number,
  copies: number,
  complete: (place: number, call: number) => void,
) {
  const calls = new Float64Array(places).fill(-1)
  const counts = new Int32Array(places)
  let strange = 0
  return {
    sent(place: number, call: number): void {
      calls[place] = call
      counts[place] = 0
    },
    came(call: number, place: number): void {
      if (calls[place] !== call || counts[place]! >= copies) {
        strange++
        return
      }
      counts[place] = counts[place]! + 1
      if (counts[place] === copies) complete(place, call)
    },
    /** Copies that belong to no message under way. */
    strange: () => strange,
  }
}
