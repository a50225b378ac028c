/** Receipts of messages that were not given one: UUIDs (version 8) with the number of the message in them. */

const OURS = /^([0-9a-f]{8})-([0-9a-f]{4})-8000-8([0-9a-f]{2})0-000000000000$/

/** `number`: a whole one, at most 2⁵³ - 1. */
export function receiptOfNumber(number: number): string {
  const hex = number.toString(16).padStart(14, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8000-8${hex.slice(12)}0-000000000000`
}

/** `undefined`: the receipt was not made of a number. */
export function numberOfReceipt(receipt: string): number | undefined {
  const found = OURS.exec(receipt)
  if (found === null) return undefined
  const number = Number.parseInt(found.slice(1).join(''), 16)
  return Number.isSafeInteger(number) ? number : undefined
}
