/** Collects what a run of tests says about each test that fails: the lines above its name. */

/** Of one test; what it printed last is kept. */
const MOST_CHARACTERS = 6000

export interface Failures {
  /** The next part of the output, which may end anywhere. */
  read(text: string): void
  /** One for each failed test, ending with its name. */
  texts(): string[]
}

export function createFailures(): Failures {
  const texts: string[] = []
  let file = ''
  let lines: string[] = []
  let rest = ''

  function readLine(line: string): void {
    const plain = Bun.stripANSI(line)
    if (/^\((pass|skip|todo)\) /.test(plain)) lines = []
    else if (/^\S+\.(test|case)\.ts:$/.test(plain)) {
      file = plain
      lines = []
    } else lines.push(line)
    if (!plain.startsWith('(fail) ')) return
    texts.push(`${file}\n${lines.join('\n').slice(-MOST_CHARACTERS)}\n`)
    lines = []
  }

  return {
    read(text) {
      const parts = (rest + text).split('\n')
      rest = parts.pop()!
      for (const line of parts) readLine(line)
    },
    texts: () => texts,
  }
}
