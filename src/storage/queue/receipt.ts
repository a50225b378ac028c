/** Receipts of messages that were not given one: UUIDs (version 8) with the number of the message in them. */

const OURS = /^([0-9a-f]{8})-([0-9a-f]{4})-8000-8([0-9a-f]{2})0-000000000000$/

const BYTES = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
/** The first digits stay the same for 16 million messages. */
let last = { high: -1, hex: '' }

/** `number`: a whole one, at most 2⁵³ - 1. */
export function receiptOfNumber(number: number): string {
  const high = Math.floor(number / 0x1000000)
  if (last.high !== high) last = { high, hex: high.toString(16).padStart(8, '0') }
  const low = number - high * 0x1000000
  const middle = BYTES[low >> 16]! + BYTES[(low >> 8) & 0xff]!
  return `${last.hex}-${middle}-8000-8${BYTES[low & 0xff]}0-000000000000`
}

/** `undefined`: the receipt was not made of a number. */
export function numberOfReceipt(receipt: string): number | undefined {
  const found = OURS.exec(receipt)
  if (found === null) return undefined
  const number = Number.parseInt(found.slice(1).join(''), 16)
  return Number.isSafeInteger(number) ? number : undefined
}
