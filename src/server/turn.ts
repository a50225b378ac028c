/**
 * What was produced in one turn of the event loop leaves together at its end: one burst per socket instead of one
 * write per frame. A lone frame leaves in the same turn, too.
 */
export interface Turn {
  /** Asks for `flush` to run at the end of this turn; once per registration. */
  atEnd(flush: () => void): void
  /** Ends the turn now, for whoever knows that nothing more will be produced in it. */
  end(): void
}

export function createTurn(): Turn {
  let waiting: (() => void)[] = []
  let scheduled = false

  function end(): void {
    scheduled = false
    const flushes = waiting
    waiting = []
    for (let i = 0; i < flushes.length; i++) flushes[i]!()
  }

  return {
    end,
    atEnd(flush) {
      waiting.push(flush)
      if (scheduled) return
      scheduled = true
      setImmediate(end)
    },
  }
}
