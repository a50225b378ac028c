/** Chance that can be repeated: the same seed gives the same numbers. */
export interface Random {
  readonly seed: number
  /** A whole number from `from` up to, and without, `to`. */
  between(from: number, to: number): number
}

/** Without a seed: `III_TEST_SEED`, else a new one. Print `seed` with a failure. */
export function createRandom(
  seed = Number(process.env.III_TEST_SEED ?? crypto.getRandomValues(new Uint32Array(1))[0]),
): Random {
  let state = seed >>> 0
  // mulberry32
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return { seed, between: (from, to) => from + Math.floor(next() * (to - from)) }
}
