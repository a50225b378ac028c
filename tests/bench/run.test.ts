/** The bench as people start it: a process, its output and its exit code. Runs are far too short for figures. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'

const RUN = join(import.meta.dir, '../../bench/run.ts')
const SHORT = ['--rounds', '1', '--seconds', '0.3', '--no-peers']
const TIMEOUT_MS = 60_000

async function bench(args: string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, RUN, ...args], {
    env: { ...process.env, ...env },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { stdout, stderr, exitCode }
}

interface Row {
  name: string
  value: number
  unit: string
}

const rowsOf = (stdout: string): Row[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))

describe('bun run bench', () => {
  test('--list shows every measure, as a table or as JSON', async () => {
    const table = await bench(['--list'])
    expect(table.exitCode).toBe(0)
    expect(table.stdout).toContain('| calls-256-rate ')
    const json = await bench(['--list', '--json', 'http-post'])
    const first = rowsOf(json.stdout)[0]!
    expect(first).toMatchObject({
      name: 'http-post-rate',
      unit: 'requests/s',
      better: 'more',
      goal: '≥ 45000',
    })
    expect(json.stderr).toBe('')
  })

  test('--help explains the options', async () => {
    const { stdout, exitCode } = await bench(['--help'])
    expect(exitCode).toBe(0)
    for (const option of ['--json', '--seconds', '--rounds', '--in-flight', '--calls']) {
      expect(stdout).toContain(option)
    }
  })

  test.each([
    [['no-such-measure'], 'no measure is named "no-such-measure"'],
    [['--seconds', '0'], '--seconds'],
    [['--rounds', '1.5'], '--rounds'],
    [['--in-flight', '1,100000'], '--in-flight'],
    [['--no-such-option'], '--no-such-option'],
  ])('refuses %p and says why', async (args, reason) => {
    const { stdout, stderr, exitCode } = await bench(args)
    expect(exitCode).toBe(2)
    expect(stderr).toContain(reason)
    expect(stdout).toBe('')
  })

  test(
    'measures calls through a real engine and loses none',
    async () => {
      const { stdout, stderr, exitCode } = await bench(['calls-1', 'calls-msgpack-1', '--json', ...SHORT])
      expect(stderr).not.toContain('error:')
      expect(stderr).toContain('calls 1 in flight, round 1')
      expect(exitCode).toBe(0)
      const rows = rowsOf(stdout)
      const suffixes = ['rate', 'p50', 'p99', ...(process.platform === 'linux' ? ['cpu'] : []), 'lost']
      expect(rows.map(({ name }) => name)).toEqual([
        ...suffixes.map(suffix => `calls-1-${suffix}`),
        ...suffixes.map(suffix => `calls-msgpack-1-${suffix}`),
      ])
      const value = (name: string): number => rows.find(row => row.name === name)!.value
      for (const name of ['calls-1', 'calls-msgpack-1']) {
        expect(value(`${name}-rate`)).toBeGreaterThan(0)
        expect(value(`${name}-p99`)).toBeGreaterThanOrEqual(value(`${name}-p50`))
        expect(value(`${name}-lost`)).toBe(0)
      }
    },
    TIMEOUT_MS,
  )

  test(
    'measures calls across shards where it says it does',
    async () => {
      const { stdout, stderr, exitCode } = await bench(['calls-msgpack-cross-256', '--json', ...SHORT])
      expect(stderr).not.toContain('error:')
      expect(exitCode).toBe(0)
      // Both shards have worked for each call.
      if (process.platform === 'linux') expect(stderr).toMatch(/iii shard 1 .*iii shard 2 /)
      expect(rowsOf(stdout)).toContainEqual({
        name: 'calls-msgpack-cross-256-lost',
        value: 0,
        unit: 'answers',
      })
    },
    TIMEOUT_MS,
  )

  test(
    'kills shards while calls cross to them, and each call is accounted for',
    async () => {
      const { stdout, stderr, exitCode } = await bench(['lost-cross', '--json', '--calls', '200000'])
      expect(stderr).not.toContain('error:')
      expect(exitCode).toBe(0)
      const value = (name: string): number => rowsOf(stdout).find(row => row.name === name)!.value
      expect(value('lost-cross-kills')).toBeGreaterThan(0)
      expect(value('lost-cross-stopped')).toBeGreaterThan(0)
      for (const fault of ['answers', 'unexpected', 'wrong']) expect(value(`lost-cross-${fault}`)).toBe(0)
    },
    TIMEOUT_MS,
  )

  test(
    'looks for lost answers among as many calls as it is told',
    async () => {
      const { stdout, stderr, exitCode } = await bench([
        'lost-answers',
        'lost-unexpected',
        'lost-wrong',
        'lost-calls',
        '--json',
        '--calls',
        '2000',
      ])
      expect(stderr).not.toContain('error:')
      expect(exitCode).toBe(0)
      const rows = rowsOf(stdout)
      expect(rows).toContainEqual({ name: 'lost-calls', value: 2000, unit: 'calls' })
      expect(rows).toContainEqual({ name: 'lost-answers', value: 0, unit: 'answers' })
      expect(rows).toContainEqual({ name: 'lost-unexpected', value: 0, unit: 'answers' })
      expect(rows).toContainEqual({ name: 'lost-wrong', value: 0, unit: 'answers' })
    },
    TIMEOUT_MS,
  )

  test(
    'times single steps',
    async () => {
      const { stdout, stderr, exitCode } = await bench(['micro-route-call', '--json', ...SHORT])
      expect(stderr).not.toContain('error:')
      expect(exitCode).toBe(0)
      expect(rowsOf(stdout)).toEqual([{ name: 'micro-route-call', value: expect.any(Number), unit: 'ns' }])
    },
    TIMEOUT_MS,
  )

  test('leaves rows out when a peer is missing, and says how to install it', async () => {
    // Everything the run needs is named by its whole path, so an empty PATH hides only the peer.
    const { stdout, stderr, exitCode } = await bench(['http-post', '--json', ...SHORT], { PATH: '/nowhere' })
    expect(exitCode).toBe(0)
    expect(stdout).toBe('')
    expect(stderr).toContain('wrk is not installed')
    expect(stderr).toContain('apt-get install wrk')
  })

  test(
    'says why an engine did not start, and ends with an error',
    async () => {
      const notAnEngine = join(import.meta.dir, 'run.test.ts.missing')
      const { stdout, stderr, exitCode } = await bench(['lost-answers', '--json', '--engine', notAnEngine])
      expect(exitCode).toBe(1)
      expect(stdout).toBe('')
      expect(stderr).toContain('error: lost: ')
      expect(stderr).toContain('run.test.ts.missing')
    },
    TIMEOUT_MS,
  )
})
