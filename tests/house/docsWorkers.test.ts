/**
 * The programs on the pages that docs.test.ts does not run: the worker of docs/getting-started.md in Python and with
 * our own SDK, answering the requests of that page, and the programs of other pages that end by themselves, printing what
 * the page says.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { providePython } from '../../scripts/python.ts'
import { type EngineProcess, startEngine } from '../support/engineProcess.ts'
import { withLock } from '../support/lock.ts'
import { until, within } from '../support/waiting.ts'
import { type Block, readPage } from './markdown.ts'
import { fencedBlocks } from './pageParts.ts'

const root = join(import.meta.dir, '../..')
const cache = join(root, '.cache')
const read = (name: string): Promise<string> => Bun.file(join(root, 'docs', name)).text()

const ourSdk = '../../sdk/typescript/src/mod.ts'
/** The first time this fetches packages. */
const PREPARE_MS = 120_000

let engine: EngineProcess
let folder: string
beforeAll(async () => {
  mkdirSync(cache, { recursive: true })
  // Two levels below the project, as the pages say.
  folder = mkdtempSync(join(cache, 'docs-'))
  engine = await startEngine({ workers: '  - name: iii-cron\n  - name: iii-queue' })
})
afterAll(async () => {
  await engine[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

interface Promised {
  snippet: Block
  output: string
}

/** The snippets with this mark that say what they print. */
function promises(page: string, mark: string): Promised[] {
  const { blocks } = readPage(page)
  return blocks.flatMap((snippet, at) => {
    const next = blocks[at + 1]
    return snippet.mark === mark && next?.mark === 'prints' ? [{ snippet, output: next.code }] : []
  })
}

const withAddresses = (text: string): string =>
  text.replaceAll('http://127.0.0.1:3111', engine.http).replaceAll('ws://127.0.0.1:49134', engine.url)

async function outputOf(command: string[], input = ''): Promise<string> {
  const child = Bun.spawn(command, {
    cwd: root,
    env: { ...process.env, III_URL: engine.url },
    stdin: new Blob([input]),
    stdout: 'pipe',
    stderr: 'ignore',
  })
  const output = await new Response(child.stdout).text()
  await child.exited
  return output
}

const runShell = (code: string): Promise<string> =>
  outputOf(['sh', '-eu'], `bun() { '${process.execPath}' "$@"; }\n${withAddresses(code)}`)

function save(name: string, code: string): string {
  const path = join(folder, name)
  writeFileSync(path, withAddresses(code))
  return path
}

const hasPython = process.env.CI !== undefined || Bun.which('python3') !== null

/** Where the Python is that has the published client. */
async function pythonProgram(): Promise<string> {
  const requirements = join(root, 'examples/polyglot/requirements.txt')
  const found = await withLock(join(cache, 'locks', 'python'), () =>
    providePython({ cache, requirements, say: () => {} }),
  )
  if ('missing' in found) throw new Error(`${found.missing}: ${found.fix}`)
  return found.program
}

/** The npm client has lines of its own on stdout. */
const withoutLogs = (text: string): string => text.replaceAll(/^\[(?:iii|OTel)\] .*\n/gm, '')

describe('the worker of docs/getting-started.md', async () => {
  const page = await read('getting-started.md')
  const asked = promises(page, 'run while started')
  const [thrown] = fencedBlocks(page, 'json').filter(text => text.includes('error_id'))

  async function python(): Promise<string[]> {
    const [code] = fencedBlocks(page, 'python')
    return [await pythonProgram(), save('shop.py', code!)]
  }

  async function typescript(): Promise<string[]> {
    const code = fencedBlocks(page, 'ts').find(text => text.includes("'iii-sdk'"))!
    return [process.execPath, save('shop.ts', code.replace("'iii-sdk'", `'${ourSdk}'`))]
  }

  const variants: [string, () => Promise<string[]>][] = [
    ...(hasPython ? [['in Python', python] as [string, () => Promise<string[]>]] : []),
    ['with our own SDK', typescript],
  ]

  test.each(variants)(
    '%s answers as the page says',
    async (_, commandOf) => {
      const worker = Bun.spawn(await commandOf(), { stdout: 'ignore', stderr: 'ignore' })
      try {
        expect(asked.length).toBeGreaterThan(2)
        await until('the route is there', async () => (await fetch(`${engine.http}/price`)).ok)
        for (const { snippet, output } of asked) {
          expect((await runShell(snippet.code)).trim()).toBe(output.trim())
        }
        const failed = await fetch(`${engine.http}/price?quantity=101`)
        expect(failed.status).toBe(500)
        const anyId = /"error_id":"[0-9a-f]{12}"/
        expect((await failed.text()).replace(anyId, 'id')).toBe(thrown!.trim().replace(anyId, 'id'))
      } finally {
        // Ctrl-C.
        worker.kill('SIGINT')
        await within('the worker ends', worker.exited)
      }
      // The next one takes the same id.
      await until('the route is gone', async () => (await fetch(`${engine.http}/price`)).status === 404)
    },
    PREPARE_MS,
  )
})

describe('the programs of docs/sdk-typescript.md', async () => {
  const programs = promises(await read('sdk-typescript.md'), 'run')

  test('are there', () => expect(programs.length).toBeGreaterThan(2))

  test.each(programs.map(each => [each.snippet.line, each] as const))(
    'in line %d: prints what the page says and ends',
    async (line, { snippet, output }) => {
      const path = join(folder, `program-${line}.ts`)
      writeFileSync(path, snippet.code)
      expect(await outputOf([process.execPath, path])).toBe(output)
    },
    30_000,
  )
})

describe.each([
  ['queue-handlers.md', 4],
  ['cron.md', 1],
])('the programs of docs/%s, with the published clients', async (name, count) => {
  const programs = promises(await read(name), 'run')

  test('are there', () => expect(programs).toHaveLength(count))

  test.each(
    programs
      .filter(({ snippet }) => hasPython || snippet.language !== 'python')
      .map(each => [each.snippet.line, each] as const),
  )(
    'in line %d: prints what the page says and ends',
    async (line, { snippet: { code, language }, output }) => {
      const program = language === 'python' ? await pythonProgram() : process.execPath
      const path = save(`${name}-${line}.${language === 'python' ? 'py' : 'ts'}`, code)
      expect(withoutLogs(await outputOf([program, path]))).toBe(output)
    },
    PREPARE_MS,
  )
})
