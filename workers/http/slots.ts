/**
 * How many requests are in work at once. Further ones wait in line, and the line has an end.
 *
 * A place that becomes free goes to the one who waits longest, in a turn of its own, so that a chain of answers does
 * not become a chain of calls.
 */

export interface Slots<Waiter> {
  /** Takes a place if one is free. */
  take(): boolean
  /** Joins the line; `admitted` is told when the place has come. False: the line is full. */
  wait(waiter: Waiter): boolean
  /** Leaves the line. */
  giveUp(waiter: Waiter): void
  /** Gives a place back. */
  leave(): void
  taken(): number
  waiting(): number
}

export function createSlots<Waiter>(
  places: number,
  longestLine: number,
  admitted: (waiter: Waiter) => void,
): Slots<Waiter> {
  let taken = 0
  const line = new Set<Waiter>()

  return {
    take() {
      if (taken >= places) return false
      taken++
      return true
    },
    wait(waiter) {
      if (line.size >= longestLine) return false
      line.add(waiter)
      return true
    },
    giveUp: waiter => void line.delete(waiter),
    leave() {
      for (const next of line) {
        line.delete(next)
        queueMicrotask(() => admitted(next))
        return
      }
      taken--
    },
    taken: () => taken,
    waiting: () => line.size,
  }
}
