/** Answers that are under way: a worker that stops lets them end. */

export interface UnderWay {
  /** The same answer, counted until it is there. `failed` throws what an error means. */
  track<Answer>(answer: Promise<Answer>, failed: (error: unknown) => never): Promise<Answer>
  /** Resolves when none is under way. */
  idle(): Promise<void>
}

export function createUnderWay(): UnderWay {
  let count = 0
  let waiters: (() => void)[] = []

  function ended(): void {
    if (--count > 0) return
    const told = waiters
    waiters = []
    for (const tell of told) tell()
  }

  return {
    track(answer, failed) {
      count++
      return answer.then(
        answered => {
          ended()
          return answered
        },
        error => {
          ended()
          return failed(error)
        },
      )
    },
    idle: () => (count === 0 ? Promise.resolve() : new Promise(resolve => waiters.push(resolve))),
  }
}
