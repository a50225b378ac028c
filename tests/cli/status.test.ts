/** `iii status`: what it shows, and how it ends. */
import { describe, expect, test } from 'bun:test'
import type { AnswerReceiver, WorkerClient } from '../../sdk/typescript/src/worker.ts'
import { duration } from '../../src/cli/reading.ts'
import { byteSize, describeStatus } from '../../src/cli/status/describe.ts'
import { runStatus, type StatusFlags } from '../../src/cli/status/run.ts'
import type { Dialler } from '../../src/cli/trigger/connection.ts'
import type { ErrorBody } from '../../src/protocol/frames.ts'
import { toJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import { createVirtualClock } from '../support/fakes.ts'
import { until } from '../support/waiting.ts'
import { type FakeTerminal, fakeTerminal, runIii, startEngine, temporaryFolder } from './support.ts'

const thread = {
  name: 'main',
  state: 'serving',
  restarts: 0,
  cpu_seconds: 1.5,
  cpu_share: 0.25,
  heap_bytes: 3 * 1024 * 1024,
  connections: 0,
  calls_in_flight: 1,
  resyncs: 0,
  rings: [{ to: 'shard 1', parked_bytes: 2048, missed_wake_ups: 1 }],
  counters: {},
}
const status = {
  version: '9.8.7',
  pid: 42,
  uptime_ms: 3_725_000,
  mode: 'shards',
  draining: false,
  memory: { rss_bytes: 100 * 1024 * 1024, heap_bytes: 1 },
  workers: 3,
  functions: 12,
  triggers: 0,
  connections: 1,
  calls_in_flight: 2,
  restarts: 1,
  dropped: { lost_voids: 3, problems: 0 },
  counters: { calls: 7, answers: 5, lost_voids: 3, problems: 0 },
  threads: [thread, { name: 'shard 1', state: 'silent', restarts: 1 }],
}

describe('the table', () => {
  test('has a line for each thread, and names what was dropped and what waits in rings', () => {
    expect(describeStatus(status).split('\n')).toEqual([
      'iii 9.8.7, process 42, up 1h 2m, shards, 100 MiB of memory',
      '3 workers, 12 functions, 0 triggers, 1 connection, 2 calls in flight',
      'counted: calls 7, answers 5, lost_voids 3',
      'dropped: lost_voids 3',
      '',
      'THREAD   STATE       CPU  CORE     HEAP  CONNECTIONS  CALLS  RESYNCS  RESTARTS',
      'main     serving  1.50 s  25 %  3.0 MiB            0      1        0         0',
      'shard 1  silent        -     -        -            -      -        -         1',
      'ring main to shard 1: 2.0 KiB parked, 1 missed wake-ups',
      '',
    ])
  })

  test('says how the data folders are', () => {
    const linesWith = (storage: unknown): string[] =>
      describeStatus({ ...status, storage })
        .split('\n')
        .filter(line => line.startsWith('storage'))
    const well = { folder: '/data', health: 'ok' }
    const ill = { folder: '/more', health: 'degraded', reason: 'the disk is full' }
    expect(linesWith([])).toEqual([])
    expect(linesWith([well])).toEqual(['storage: ok'])
    expect(linesWith([well, ill])).toEqual(['storage: degraded, the disk is full (/more)'])
  })

  test('can be made of whatever an engine of another version says', () => {
    for (const odd of [null, 1, {}, { threads: 1 }, { threads: [1, { rings: [null] }], counters: [] }]) {
      expect(describeStatus(odd)).toContain('THREAD')
    }
    expect(describeStatus({ version: '\x1b[2J', threads: [{ name: 'a\nb' }] })).not.toContain('\x1b')
  })

  test('writes times and sizes in two parts at most', () => {
    expect([0, 5000, 65_000, 3_600_000, 200_000_000].map(duration)).toEqual([
      '0s',
      '5s',
      '1m 5s',
      '1h 0m',
      '2d 7h',
    ])
    expect([0, 1023, 1536, 20 * 1024 ** 2, 3 * 1024 ** 3].map(byteSize)).toEqual([
      '0 B',
      '1023 B',
      '1.5 KiB',
      '20 MiB',
      '3.0 GiB',
    ])
  })
})

/** The command with an engine that answers as the test says. */
function run(flags: StatusFlags, answer: (answered: AnswerReceiver) => void) {
  const terminal = fakeTerminal()
  const clock = createVirtualClock()
  const names: string[] = []
  const client: Partial<WorkerClient> = {
    ready: () => Promise.resolve(),
    getFatalError: () => undefined,
    shutdown: () => Promise.resolve(),
    call({ timeoutMs }, answered) {
      expect(timeoutMs).toBe(limits.commandInfoMs)
      answer(answered)
      return () => {}
    },
  }
  const dialler: Dialler = {
    connect(_, { workerName }) {
      names.push(workerName!)
      return client as WorkerClient
    },
    connectMs: 1000,
    clock,
    diagnose: () => Promise.resolve(''),
  }
  return { terminal, clock, names, exitCode: runStatus(flags, terminal, dialler) }
}

async function endOf(error: ErrorBody): Promise<{ exitCode: number; terminal: FakeTerminal }> {
  const { terminal, exitCode } = run({}, answered => answered(error, undefined))
  return { exitCode: await exitCode, terminal }
}

describe('the command', () => {
  test('prints the document as it came with --json, indented', async () => {
    const { terminal, exitCode, names } = run({ json: true }, answered =>
      answered(undefined, toJsonText(status)),
    )
    expect([await exitCode, names]).toEqual([0, ['iii-cli:status']])
    expect(terminal.stdout()).toBe(`${JSON.stringify(status, undefined, 2)}\n`)
    expect(terminal.stderr()).toBe('')
  })

  test('looks again every two seconds with --watch, one line each with --json, until it is interrupted', async () => {
    const { terminal, clock, exitCode } = run({ json: true, watch: true }, answered =>
      answered(undefined, toJsonText(status)),
    )
    const lines = (): number => terminal.stdout().split('\n').length - 1
    for (const count of [1, 2, 3]) {
      await until('it has looked', () => lines() === count && clock.pending() > 0)
      clock.advance(limits.statusWatchMs - 1)
      expect(lines()).toBe(count)
      clock.advance(1)
    }
    terminal.signal('SIGINT')
    expect(await exitCode).toBe(130)
    expect(JSON.parse(terminal.stdout().split('\n')[0]!)).toEqual(status)
  })

  test.each([
    [
      { code: 'TIMEOUT', message: '' },
      124,
      'Error: the engine at ws://localhost:49134 did not say how it is',
    ],
    [{ code: 'CONNECTION_LOST', message: '' }, 1, 'Error: the connection to ws://localhost:49134 was lost\n'],
    [
      { code: 'function_not_found', message: '' },
      1,
      'Error: the engine at ws://localhost:49134 has no engine::status',
    ],
    [{ code: 'OTHER', message: 'no' }, 1, 'Error: OTHER: no\n'],
  ])('that fails with %j ends with %d', async (error, code, text) => {
    const { exitCode, terminal } = await endOf(error)
    expect([exitCode, terminal.stdout()]).toEqual([code, ''])
    expect(terminal.stderr()).toStartWith(text)
  })
})

describe('of a running engine', () => {
  test.each(['0', '2'])('with --shards %s it shows its threads', async shards => {
    using folder = temporaryFolder()
    await using engine = await startEngine(folder.path, {
      words: ['--shards', shards, '--acceptor', 'kernel'],
    })
    const words = ['status', '--port', engine.port]
    const [text, json] = await Promise.all([runIii(words), runIii([...words, '--json'])])
    expect([text.exitCode, json.exitCode, text.stderr, json.stderr]).toEqual([0, 0, '', ''])
    const shown = JSON.parse(json.stdout)
    expect(shown).toMatchObject({ pid: engine.pid, mode: shards === '0' ? 'one thread' : 'shards' })
    const names = shards === '0' ? ['main'] : ['main', 'shard 1', 'shard 2']
    const rows = shown.threads as { name: string; state: string; cpu_seconds?: number }[]
    expect(rows.map(({ name, state }) => [name, state])).toEqual(names.map(name => [name, 'serving']))
    if (process.platform === 'linux') for (const row of rows) expect(row.cpu_seconds).toBeNumber()
    for (const name of names) expect(text.stdout).toContain(`\n${name} `)
  })

  test('that is not there ends with 1, wrong usage with 2, and both say what to do', async () => {
    const [none, wrong, helped] = await Promise.all([
      runIii(['status', '--address', '127.0.0.1:1']),
      runIii(['status', 'all']),
      runIii(['help', 'status']),
    ])
    expect([none.exitCode, wrong.exitCode, helped.exitCode]).toEqual([1, 2, 0])
    expect(none.stderr).toStartWith('Error: no engine answers at ws://127.0.0.1:1: ')
    expect(wrong.stderr).toContain("status --help' shows the options")
    expect(helped.stdout).toStartWith('Usage: iii status')
  })
})
