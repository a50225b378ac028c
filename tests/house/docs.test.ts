import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { readConfig } from '../../src/config/read.ts'
import { knownWorkers } from '../../src/threads/placement.ts'
import { folders, threads } from '../config/support.ts'
import { type Block, readPage } from './markdown.ts'
import { type Started, startExamples } from './started.ts'

const root = join(import.meta.dir, '..', '..')
const elsewhere = /(^|\/)(node_modules|target|\.[^/]+)\//

const pages = [...new Bun.Glob('**/*.md').scanSync({ cwd: root })]
  .filter(path => !elsewhere.test(path))
  .sort()
  .map(path => ({ path, ...readPage(readFileSync(join(root, path), 'utf8')) }))
const blocks = pages.flatMap(({ path, blocks }) => blocks.map(block => ({ path, ...block })))

/** Why a link leads nowhere; `undefined` when it is fine or leads out of the project. */
function complaintAbout(path: string, target: string): string | undefined {
  if (/^[a-z]+:/i.test(target)) return undefined
  const [file = '', anchor] = target.split('#')
  const full = file === '' ? join(root, path) : resolve(root, dirname(path), file)
  if (!existsSync(full)) return `${file} does not exist`
  if (anchor === undefined || !full.endsWith('.md')) return undefined
  return readPage(readFileSync(full, 'utf8')).anchors.has(anchor) ? undefined : `no heading #${anchor}`
}

describe('the documentation', () => {
  test('is found', () => {
    const paths = pages.map(({ path }) => path)
    expect(paths).toContain('README.md')
    expect(paths).toContain('docs/decisions/0001-uwebsockets.md')
    expect(paths.filter(path => path.startsWith('node_modules'))).toEqual([])
  })

  test('has no link that leads nowhere', () => {
    const complaints = pages.flatMap(({ path, links }) =>
      links.flatMap(({ line, target }) => {
        const complaint = complaintAbout(path, target)
        return complaint === undefined ? [] : [`${path}:${line}: ${complaint}`]
      }),
    )
    expect(complaints).toEqual([])
  })

  test('lists every decision', () => {
    const index = pages.find(({ path }) => path === 'docs/README.md')!
    const listed = index.links.map(({ target }) => target).filter(target => target.startsWith('decisions/'))
    const written = pages.map(({ path }) => path).filter(path => path.startsWith('docs/decisions/'))
    expect(listed.sort()).toEqual(written.map(path => relative('docs', path)).sort())
  })
})

test.each([
  ['{"id":"7f3a","n":1}', '{"id":"…","n":1}', true],
  ['{"id":"7f3a","n":2}', '{"id":"…","n":1}', false],
  ['{"id":"","n":1}', '{"id":"…","n":1}', false],
  ['a.c\n', 'abc', false],
  ['HTTP/1.1 200 OK\r\nallow: GET\r\n', 'HTTP/1.1 200 OK\nallow: GET', true],
])('%j is what "%s" promises: %p', (output, promised, expected) => {
  expect(isPromised(output, promised)).toBe(expected)
})

describe('the snippets', () => {
  const ofKind = (mark: string, language: string) =>
    blocks.filter(block => block.mark === mark && block.language === language)

  test('are all of a kind that can be run', () => {
    const runnable = new Set([
      'run sh',
      'run ts',
      'run yaml',
      // docsWorkers.test.ts runs them.
      'run python',
      'run while started sh',
      'run while started ts',
    ])
    const odd = blocks.filter(
      ({ mark, language }) => !mark.startsWith('prints') && !runnable.has(`${mark} ${language}`),
    )
    expect(odd.map(({ path, line }) => `${path}:${line}`)).toEqual([])
  })

  test('in TypeScript have no type errors', async () => {
    // Inside of the project, so that its packages are found.
    mkdirSync(join(root, '.cache'), { recursive: true })
    const folder = mkdtempSync(join(root, '.cache', 'snippets-'))
    try {
      const snippets = [...ofKind('run', 'ts'), ...ofKind('run while started', 'ts')]
      expect(snippets.length).toBeGreaterThan(0)
      for (const { path, line, code } of snippets) {
        writeFileSync(join(folder, `${path.replaceAll('/', '-')}-${line}.ts`), code)
      }
      writeFileSync(join(folder, 'tsconfig.json'), '{"extends":"../../tsconfig.json","include":["*.ts"]}')
      const tsc = [join(root, 'node_modules/typescript/bin/tsc'), '--noEmit', '-p', folder]
      const check = Bun.spawn([process.execPath, ...tsc], { stdout: 'pipe' })
      expect(await new Response(check.stdout).text()).toBe('')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('in YAML are configurations that the engine takes', () => {
    const snippets = ofKind('run', 'yaml')
    expect(snippets.length).toBeGreaterThan(0)
    for (const { path, code } of snippets) {
      const result = readConfig(code, { env: {}, path, knownWorkers, insecure: false, threads, folders })
      expect(result.ok ? result.settings.warnings : result.problems).toEqual([])
    }
  })

  test.each(ofKind('run', 'sh').map(each => [`${each.path}:${each.line}`, each] as const))(
    'runs: %s',
    async (_, { code }) => {
      const { exitCode, output } = await runShell(code)
      expect(`${output}exit code ${exitCode}`).toEndWith('exit code 0')
    },
    30_000,
  )

  describe('while everything is started', () => {
    let started: Started
    let folder: string
    const workers: Bun.Subprocess[] = []

    /** Snippets in TypeScript are workers: they run beside the examples while the others are tried. */
    function startWorker({ code }: Block, at: number): Bun.Subprocess {
      const file = join(folder, `worker-${at}.ts`)
      writeFileSync(
        file,
        started.withAddresses(code).replaceAll("'iii-sdk'", `'${import.meta.resolve('iii-sdk')}'`),
      )
      return Bun.spawn([process.execPath, file], { stdout: 'ignore', stderr: 'ignore' })
    }

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'snippets-'))
      started = await startExamples()
      workers.push(...ofKind('run while started', 'ts').map(startWorker))
    }, 120_000)
    afterAll(async () => {
      for (const worker of workers) worker.kill()
      await started?.stop()
      rmSync(folder, { recursive: true })
    })

    test('`npm start` prints what the README says', () => {
      const [promised] = ofKind('prints at start', 'text')
      const mayLackPython = process.env.CI === undefined && !started.summary.includes('/orders')
      const lines = started.withAddresses(promised!.code).trim().split('\n')
      // Without Python the last example is left out, with its comment.
      expect(started.summary.trim()).toBe((mayLackPython ? lines.slice(0, -2) : lines).join('\n'))
    })

    const snippets = ofKind('run while started', 'sh')
    test('there are some', () => expect(snippets.length).toBeGreaterThan(0))

    test.each(snippets.map(each => [`${each.path}:${each.line}`, each] as const))(
      'work: %s',
      async (_, block) => {
        const code = started.withAddresses(block.code)
        const env = { III_URL: started.withAddresses('ws://127.0.0.1:49134') }
        const promised = printedBelow(block)
        // Without a promise at least it is not the engine that has to answer.
        const isAsPromised = ({ exitCode, output }: Ended) =>
          exitCode === 0 &&
          (promised === undefined ? !madeByEngine.test(output) : isPromised(output, promised.code))
        // A worker needs a moment to connect.
        let ended = await runShell(code, env)
        for (let tries = 0; tries < 100 && !isAsPromised(ended); tries++) {
          await Bun.sleep(50)
          ended = await runShell(code, env)
        }
        expect(ended.exitCode).toBe(0)
        if (promised === undefined) expect(ended.output).not.toMatch(madeByEngine)
        else if (!isPromised(ended.output, promised.code))
          expect(ended.output.trim()).toBe(promised.code.trim())
      },
      30_000,
    )
  })
})

/** The block marked `<!-- prints -->` that follows a snippet directly. */
function printedBelow({ path, line }: (typeof blocks)[number]): Block | undefined {
  const onPage = blocks.filter(block => block.path === path)
  const next = onPage[onPage.findIndex(block => block.line === line) + 1]
  return next?.mark === 'prints' ? next : undefined
}

/** Whether a command has printed what the page says; `…` there stands for what differs each time. */
function isPromised(output: string, promised: string): boolean {
  const pattern = promised.trim().split('…').map(RegExp.escape).join('[^\\n]+')
  return new RegExp(`^${pattern}$`).test(output.trim().replaceAll('\r\n', '\n'))
}

/** An HTTP answer that no worker made: no such route, the function is not there, it failed. */
const madeByEngine = /^\s*\{"error":\{"code":/

interface Ended {
  exitCode: number
  output: string
}

/** Snippets say `bun`; here that is the Bun that runs this test. */
async function runShell(code: string, env: Record<string, string> = {}): Promise<Ended> {
  const script = `bun() { '${process.execPath}' "$@"; }\n${code}`
  const child = Bun.spawn(['sh', '-eu'], {
    cwd: root,
    env: { ...process.env, ...env },
    stdin: Buffer.from(script),
    stdout: 'pipe',
    stderr: 'ignore',
  })
  const [exitCode, output] = await Promise.all([child.exited, new Response(child.stdout).text()])
  return { exitCode, output }
}
