import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keptByNpm } from '../../scripts/keptByNpm.ts'
import { START, type Started, startExamples } from './started.ts'

/** The first start fetches the packages of the Python example. */
const FIRST_START_MS = 120_000

/** Who runs and who holds a port is read from /proc. */
const onLinux = test.skipIf(process.platform !== 'linux')

/** All processes that this one has started, and theirs. */
function descendants(pid: number): number[] {
  const parents = readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(name => {
      const path = join('/proc', name, 'stat')
      // A process may end while we look.
      const stat = existsSync(path) ? readFileSync(path, 'utf8') : ''
      return stat === ''
        ? []
        : [{ pid: Number(name), parent: Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]) }]
    })
  const children = parents.filter(({ parent }) => parent === pid).map(each => each.pid)
  return [...children, ...children.flatMap(descendants)]
}

const isRunning = (pid: number): boolean => existsSync(`/proc/${pid}`)
const commandOf = (pid: number): string => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')

describe('npm start', () => {
  let started: Started
  beforeAll(async () => {
    started = await startExamples()
  }, FIRST_START_MS)
  afterAll(() => started?.stop())

  test('prints curl lines that work, for every example that this machine can run', async () => {
    const lines = started.summary.split('\n').filter(line => line.trim().startsWith('curl '))
    const hasPython = process.env.CI !== undefined || !started.progress().includes('is left out')
    expect(lines).toHaveLength(hasPython ? 2 : 1)
    for (const line of lines) {
      const curl = Bun.spawn(['sh', '-c', line.replace('curl', 'curl -fsS')], {
        stdout: 'pipe',
        stderr: 'pipe',
      })
      expect([await new Response(curl.stderr).text(), await curl.exited]).toEqual(['', 0])
    }
  })

  test('logs no failure while everything starts', () => {
    expect(started.progress()).not.toMatch(/\b(WARN|ERROR)\b/)
  })
})

onLinux(
  'one Ctrl-C, however often it is passed on, leaves no process and no port',
  async () => {
    const started = await startExamples()
    const processes = descendants(started.child.pid)
    expect(processes.length).toBeGreaterThan(1)
    const http = /http:\S+/.exec(started.summary)![0]
    // The terminal, npm and the bootstrap each pass it on.
    for (let times = 0; times < 3; times++) started.child.kill('SIGINT')
    expect(await started.ended).toBe(0)
    expect(started.progress()).toEndWith('Stopped.\n')
    expect(processes.filter(isRunning)).toEqual([])
    await expect(fetch(http)).rejects.toThrow()
  },
  FIRST_START_MS,
)

test(
  'without Python the other examples run, and it is said what is missing',
  async () => {
    const empty = mkdtempSync(join(tmpdir(), 'no-python-'))
    const started = await startExamples({ PATH: empty, PYTHON: '' })
    try {
      expect(started.progress()).toMatch(/"pricing" is left out: .*Python.* To have it, .*\./)
      expect(started.summary).toContain('/hello')
      expect(started.summary).not.toContain('/orders')
    } finally {
      await started.stop()
      rmSync(empty, { recursive: true })
    }
  },
  FIRST_START_MS,
)

test(
  'when the engine dies, everything stops with code 1',
  async () => {
    const started = await startExamples()
    const processes = descendants(started.child.pid)
    const engine = processes.find(pid => commandOf(pid).includes('src/main.ts'))!
    process.kill(engine, 'SIGKILL')
    expect(await started.ended).toBe(1)
    expect(started.progress()).toContain('The engine has ended with code 137.')
    expect(processes.filter(isRunning)).toEqual([])
  },
  FIRST_START_MS,
)

onLinux('when a port is taken, it says who holds it and what to do, and ends with code 1', async () => {
  const stranger = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() })
  try {
    const failure: Error = await startExamples({}, stranger.port).catch(error => error)
    expect(failure.message).toContain(`process ${process.pid}`)
    expect(failure.message).toMatch(/fix: .*stop the process that holds port/)
    expect(failure.message).toContain('code 1')
  } finally {
    await stranger.stop(true)
  }
})

test(
  'a config.yaml in the folder is used and named; without HTTP in it, it says how to have it',
  async () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'start-')))
    const file = join(folder, 'config.yaml')
    writeFileSync(file, 'workers:\n  - name: iii-worker-manager\n    config: { port: 0 }\n')
    const child = Bun.spawn([process.execPath, '--no-orphans', START], {
      cwd: folder,
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      // Without Python, which has nothing to do with it.
      env: { HOME: folder, PATH: folder },
    })
    const said = new Response(child.stderr).text()
    // An empty line comes last.
    let printed = ''
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      printed += text
      if (printed.endsWith('\n\n')) break
    }
    expect(printed).toContain('ws://127.0.0.1:')
    child.kill('SIGTERM')
    expect(await child.exited).toBe(0)
    expect(await said).toContain(`Using ${file};`)
    expect(await said).toContain('There is no HTTP: add `- name: iii-http` to `workers:`')
    // The summary comes when the workers are there, as it does with HTTP.
    expect(await said).toMatch(/worker connected +worker_name=hello/)
    rmSync(folder, { recursive: true })
  },
  FIRST_START_MS,
)

onLinux('where the engine listens is said before the examples are there', async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'start-')))
  writeFileSync(
    join(folder, 'config.yaml'),
    'workers:\n  - name: iii-worker-manager\n    config: { port: 0 }\n',
  )
  // A Python that never comes to an end.
  writeFileSync(join(folder, 'python3'), '#!/bin/sh\nexec sleep infinity\n', { mode: 0o755 })
  const env = { HOME: folder, PATH: `${folder}:${process.env.PATH}` }
  const child = Bun.spawn([process.execPath, '--no-orphans', START], {
    cwd: folder,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'ignore',
    env,
  })
  let printed = ''
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    printed += text
    if (printed.includes('ws://127.0.0.1:')) break
  }
  expect(printed).toStartWith('iii is running.')
  expect(printed).not.toContain('Try in')
  for (const pid of [...descendants(child.pid), child.pid]) process.kill(pid, 'SIGKILL')
  await child.exited
  rmSync(folder, { recursive: true })
})

test('an option that npm has kept for itself is not ignored: it says how to hand it on', async () => {
  const child = Bun.spawn([process.execPath, START, 'engine.yaml'], {
    stdout: 'ignore',
    stderr: 'pipe',
    // What npm makes of `npm start --config engine.yaml`.
    env: { ...process.env, npm_lifecycle_event: 'start', npm_config_config: 'true' },
  })
  expect(await new Response(child.stderr).text()).toContain('npm start -- --config …')
  expect(await child.exited).toBe(2)
})

test('every option of the engine is known there', async () => {
  const help = Bun.spawn([process.execPath, START, '--help'], { stdout: 'pipe', stderr: 'ignore' })
  const text = await new Response(help.stdout).text()
  const options = [...text.matchAll(/^ {2}(?:-\w, )?--([a-z-]+)/gm)].map(([, name]) => name!)
  expect(options).toContain('data')
  // The first two are npm's own; the last one changes nothing.
  const others = options.filter(name => !['version', 'help', 'no-update-check'].includes(name))
  const kept = others.map(name => [`npm_config_${name.replaceAll('-', '_')}`, 'x'])
  expect(keptByNpm({ npm_lifecycle_event: 'start', ...Object.fromEntries(kept) })).toEqual(others)
  expect(keptByNpm(Object.fromEntries(kept))).toEqual([])
})

test.each([
  [['--help'], 0, 'Usage: iii'],
  [['--version'], 0, '.'],
  [['trigger', 'a=2'], 2, ''],
])('%j goes to the command as it is, without examples', async (words, code, printed) => {
  const child = Bun.spawn([process.execPath, START, ...words], { stdout: 'pipe', stderr: 'ignore' })
  expect(await new Response(child.stdout).text()).toContain(printed)
  expect(await child.exited).toBe(code)
})
