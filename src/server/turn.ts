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

/** `failed`: a flush has thrown, the others ran. Without it, the turn throws the first such error at its end. */
export function createTurn(failed?: (error: unknown) => void): Turn {
  let waiting: (() => void)[] = []
  let scheduled = false

  function end(): void {
    scheduled = false
    const flushes = waiting
    waiting = []
    const errors: unknown[] = []
    for (let i = 0; i < flushes.length; i++) {
      try {
        flushes[i]!()
      } catch (error) {
        if (failed === undefined) errors.push(error)
        else failed(error)
      }
    }
    if (errors.length > 0) throw errors[0]
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
