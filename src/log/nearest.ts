/** Finds the name that was probably meant. */

/** Number of single-character edits (insert, delete, replace, swap of neighbours) between two words. */
export function editDistance(from: string, to: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1]
      let best = Math.min(
        previous[column]! + 1,
        current[column - 1]! + 1,
        previous[column - 1]! + (same ? 0 : 1),
      )
      const swapped =
        row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      if (swapped) best = Math.min(best, beforePrevious[column - 2]! + 1)
      current.push(best)
    }
    beforePrevious = previous
    previous = current
  }
  return previous[to.length]!
}

/** The known name nearest to `word`, unless even that one has little in common with it. */
export function nearestName(word: string, known: Iterable<string>): string | undefined {
  // A word of absurd length has no near name, and comparing it would cost its square.
  if (word.length > 64) return undefined
  const wanted = normal(word)
  let nearest: string | undefined
  let best = Math.max(1, Math.floor(wanted.length / 3)) + 1
  for (const name of known) {
    const other = normal(name)
    // No word can be nearer than the difference of the lengths: most need no comparing.
    if (Math.abs(other.length - wanted.length) >= best) continue
    const distance = editDistance(wanted, other)
    if (distance < best) {
      best = distance
      nearest = name
    }
  }
  return nearest
}

/** Of members like `delay_ms`: by spelling, else the only one that begins with it, as `delay` does. */
export function nearestMember(name: string, known: readonly string[]): string | undefined {
  const nearest = nearestName(name, known)
  if (nearest !== undefined || name === '') return nearest
  const longer = known.filter(other => other.startsWith(`${normal(name)}_`))
  return longer.length === 1 ? longer[0] : undefined
}

/**
 * Of ids like `hello::greet`: the only one that ends with it (`iii::queue::redrive` for `queue::redrive`), else by spelling, else
 * the only one whose last part is the same: `greet` for `hello::greet`.
 */
export function nearestId(id: string, known: readonly string[]): string | undefined {
  const longer = known.filter(other => other.endsWith(`::${id}`))
  if (longer.length === 1) return longer[0]
  const nearest = nearestName(id, known)
  if (nearest !== undefined) return nearest
  const last = id.split('::').at(-1)
  const same = known.filter(other => other.split('::').at(-1) === last)
  return same.length === 1 ? same[0] : undefined
}

/** `bodyLimit`, `body-limit` and `body_limit` are the same word written by different habits. */
function normal(word: string): string {
  return word
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase()
}
