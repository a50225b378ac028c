/** What is exported is used elsewhere: the rest is the business of its file, or dead. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dir, '..', '..')

interface Source {
  readonly path: string
  readonly text: string
}

/** Functions and constants. A type may stand in what is exported though nobody says its name. */
const exported = /^export (?:async )?(?:function\*?|const|let|class) (\w+)/gm
const word = /\w+/g

/**
 * `path: name` of each exported value whose name stands in no other file. Words are compared, not references: what
 * shares its name with something elsewhere passes.
 */
function unusedExports(sources: readonly Source[]): string[] {
  const holders = new Map<string, number>()
  for (const { text } of sources) {
    for (const name of new Set(text.match(word))) holders.set(name, (holders.get(name) ?? 0) + 1)
  }
  return sources.flatMap(({ path, text }) =>
    [...text.matchAll(exported)]
      .filter(([, name]) => holders.get(name!) === 1)
      .map(([, name]) => `${path}: ${name}`),
  )
}

test('every exported value is used by another file', () => {
  const paths = [...new Bun.Glob('{src,workers,sdk,tests,examples,scripts,bench}/**/*.ts').scanSync(root)]
  const sources = paths
    .filter(path => !path.includes('node_modules'))
    .map(path => ({ path, text: readFileSync(join(root, path), 'utf8') }))
  expect(sources.map(({ path }) => path)).toContain('src/protocol/frames.ts')
  expect(unusedExports(sources)).toEqual([])
})

test('one that only its own file uses is found, one that is imported is not', () => {
  const sources = [
    {
      path: 'a.ts',
      text: 'export const own = 1\nexport function both() {\n  return own\n}\nexport interface T {}',
    },
    { path: 'b.ts', text: "import { both } from './a.ts'" },
  ]
  expect(unusedExports(sources)).toEqual(['a.ts: own'])
})
