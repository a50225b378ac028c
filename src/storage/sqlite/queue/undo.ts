/** What takes back the steps of the transaction that is open, latest first. */
export interface Undo {
  push(takeBack: () => void): void
  /** A place to which `to` goes back. 0: the beginning of the transaction. */
  mark(): number
  to(mark: number): void
  /** What was done stays. */
  forget(): void
  /** Another number after each of these: whatever is kept for undoing in one stretch is kept once. */
  stretch(): number
}

export function createUndo(): Undo {
  let steps: (() => void)[] = []
  let stretch = 1
  return {
    push: takeBack => void steps.push(takeBack),
    mark() {
      stretch++
      return steps.length
    },
    to(mark) {
      while (steps.length > mark) steps.pop()!()
      stretch++
    },
    forget() {
      steps = []
      stretch++
    },
    stretch: () => stretch,
  }
}
