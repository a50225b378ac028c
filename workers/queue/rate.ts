/** How many messages of a queue may begin now: so many in a second, a tenth of that at once. */

export interface Rate {
  /** As many of `wanted` as may begin now; those that do not begin after all are to be given back. */
  take(wanted: number): number
  giveBack(count: number): void
  /** Milliseconds until the next one may. */
  waitMs(): number
}

/** `now`: milliseconds, steady. */
export function createRate(perSecond: number, now: () => number): Rate {
  const most = Math.max(1, perSecond / 10)
  let left = most
  let seen = now()

  function fill(): void {
    const at = now()
    left = Math.min(most, left + ((at - seen) * perSecond) / 1000)
    seen = at
  }

  return {
    take(wanted) {
      fill()
      const taken = Math.min(wanted, Math.floor(left))
      left -= taken
      return taken
    },
    giveBack(count) {
      left = Math.min(most, left + count)
    },
    waitMs() {
      fill()
      return Math.max(1, Math.ceil(((1 - left) * 1000) / perSecond))
    },
  }
}
