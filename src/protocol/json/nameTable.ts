/** Finds which of a few names a key is, without cutting the key out of its text. */

const NONE = -1
const SLOT_BITS = 5
const SLOTS = 1 << (2 * SLOT_BITS)

/** A small hash of a name: its length and first character. */
export function slotOf(length: number, first: number): number {
  return ((length << SLOT_BITS) | (first & 31)) & (SLOTS - 1)
}

/** Names by slot: the first candidate of each slot, and for each name the next one in the same slot. */
export function createNameTable(names: readonly string[]): { first: Int16Array; next: Int16Array } {
  const first = new Int16Array(SLOTS).fill(NONE)
  const next = new Int16Array(names.length).fill(NONE)
  names.forEach((name, member) => {
    const slot = slotOf(name.length, name.charCodeAt(0))
    next[member] = first[slot]!
    first[slot] = member
  })
  return { first, next }
}
