import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { areaCycles, complaintAbout, complaintsAboutLength, fileCycles, MOST_LINES } from './arrows.ts'
import { type Import, readSources } from './imports.ts'

const root = join(import.meta.dir, '..', '..')
const sources = await readSources(join(root, 'tsconfig.json'))

/** Files longer than the rule, each with the reason why it is not split. */
const longFiles: Record<string, string> = {
  'src/protocol/errors.ts': 'a table with a row for each code',
  'src/protocol/limits.ts': 'a table with a row for each bound',
}

describe('the project', () => {
  test('is read: known files and known imports are there', () => {
    expect(sources.files.map(({ path }) => path)).toContain('src/protocol/frames.ts')
    expect(sources.imports).toContainEqual({
      from: 'workers/worker.ts',
      to: 'sdk/typescript/src/worker.ts',
      specifier: '../sdk/typescript/src/worker.ts',
      typeOnly: true,
    })
  })

  test('imports downwards only', () => {
    expect(sources.imports.flatMap(each => complaintAbout(each) ?? [])).toEqual([])
  })

  test('has no folders that need each other', () => {
    expect(areaCycles(sources.imports)).toEqual([])
  })

  test('has no files that need each other', () => {
    expect(fileCycles(sources.imports)).toEqual([])
  })

  test(`has no file of more than ${MOST_LINES} lines without a reason`, () => {
    expect(complaintsAboutLength(sources.files, longFiles)).toEqual([])
  })
})

describe('the rules', () => {
  const arrow = (from: string, to: string): Import => ({ from, to, specifier: to, typeOnly: false })
  const ofPackage = (from: string, specifier: string): Import => ({
    ...arrow(from, specifier),
    to: undefined,
  })

  test.each([
    ['a worker that knows the engine', arrow('workers/http/worker.ts', 'src/engine/router.ts')],
    ['a worker that knows another worker', arrow('workers/http/worker.ts', 'workers/cron/plan.ts')],
    ['the protocol that knows the engine', arrow('src/protocol/frames.ts', 'src/engine/router.ts')],
    ['the engine that knows the server', arrow('src/engine/engine.ts', 'src/server/listener.ts')],
    ['the SDK that knows the log', arrow('sdk/typescript/src/mod.ts', 'src/log/log.ts')],
    ['a test that loads the entry', arrow('tests/cli/serve.test.ts', 'src/main.ts')],
    ['a folder nobody has thought of', arrow('src/misc/helpers.ts', 'src/protocol/frames.ts')],
    ['a pure core that reads files', ofPackage('src/engine/engine.ts', 'node:fs')],
  ] as [string, Import][])('refuse %s', (_, example) => {
    expect(complaintAbout(example)).toContain(example.from)
  })

  test.each([
    ['the command line that starts threads', arrow('src/cli/serve.ts', 'src/threads/thread.ts')],
    ['a worker that uses the client', arrow('workers/http/worker.ts', 'sdk/typescript/src/worker.ts')],
    ['a worker that uses its own folder', arrow('workers/http/worker.ts', 'workers/http/routes.ts')],
    ['a worker that uses what all workers share', arrow('workers/http/worker.ts', 'workers/worker.ts')],
    ['a worker that uses a package', ofPackage('workers/http/routes.ts', 'rou3')],
  ] as [string, Import][])('allow %s', (_, example) => {
    expect(complaintAbout(example)).toBeUndefined()
  })

  test('find a circle of folders, and of files within one', () => {
    const circle = [
      arrow('src/engine/a.ts', 'src/server/b.ts'),
      arrow('src/server/b.ts', 'src/server/c.ts'),
      arrow('src/server/c.ts', 'src/engine/d.ts'),
    ]
    expect(areaCycles(circle)).toEqual([['engine', 'server', 'engine']])
    expect(fileCycles(circle)).toEqual([])
    const back = arrow('src/engine/d.ts', 'src/engine/a.ts')
    expect(fileCycles([...circle, back])).toHaveLength(1)
    expect(fileCycles([...circle, { ...back, typeOnly: true }])).toEqual([])
  })

  test('find a file that is too long, and an excuse that is no longer needed', () => {
    const files = [
      { path: 'src/long.ts', lines: MOST_LINES + 1 },
      { path: 'src/short.ts', lines: MOST_LINES },
    ]
    expect(complaintsAboutLength(files, {})).toEqual([expect.stringContaining('src/long.ts has 401 lines')])
    expect(complaintsAboutLength(files, { 'src/long.ts': 'one table', 'src/short.ts': 'was long' })).toEqual([
      expect.stringContaining('src/short.ts needs no excuse'),
    ])
  })
})

test('every way to import is seen', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'imports-'))
  try {
    const ways = [
      "import { a } from './a.ts'",
      "import type { B } from './b.ts'",
      "import { type C } from './c.ts'",
      "export * from './d.ts'",
      "export type { E } from './e.ts'",
      "import './f.ts'",
      "export const g = () => import('./g.ts')",
      "export type H = import('./h.ts').H",
      "export const text = `import './no.ts'` // import './no.ts'",
      'export const used: [typeof a, B?, C?] = [a]',
    ]
    writeFileSync(join(folder, 'ways.ts'), ways.join('\n'))
    writeFileSync(
      join(folder, 'tsconfig.json'),
      '{"files":["ways.ts"],"compilerOptions":{"module":"preserve"}}',
    )
    const { imports } = await readSources(join(folder, 'tsconfig.json'))
    const names = imports.map(({ to, typeOnly }) => `${to}${typeOnly ? ' (types)' : ''}`).sort()
    const types = ['b', 'e', 'h']
    expect(names).toEqual([...'abcdefgh'].map(name => `${name}.ts${types.includes(name) ? ' (types)' : ''}`))
  } finally {
    rmSync(folder, { recursive: true })
  }
})
