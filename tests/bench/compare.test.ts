import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { catalogue } from '../../bench/catalogue.ts'
import { compare, readRun, verdictOf } from '../../bench/compare.ts'
import { jsonLines, type Measure, measureTable } from '../../bench/table.ts'

const infos = catalogue([256])

const nats: Measure = { name: 'nats-256-rate', value: 100_000, unit: 'calls/s' }
const kept: Measure[] = [
  { name: 'calls-256-rate', value: 80_000, unit: 'calls/s', peer: 'nats-256-rate', ratio: 0.8 },
  { name: 'calls-256-cpu', value: 6, unit: 'µs' },
  nats,
  { name: 'lost-answers', value: 0, unit: 'answers' },
  { name: 'lost-calls', value: 1000, unit: 'calls' },
]
const now: Measure[] = [
  { name: 'calls-256-rate', value: 40_000, unit: 'calls/s', peer: 'nats-256-rate', ratio: 0.88 },
  { name: 'calls-256-cpu', value: 12, unit: 'µs' },
  { ...nats, value: 45_455 },
  { name: 'lost-answers', value: 3, unit: 'answers' },
  { name: 'lost-calls', value: 1000, unit: 'calls' },
]

describe('a run beside a kept one', () => {
  const rows = compare(infos, readRun(measureTable(kept)), readRun(jsonLines(now)))
  const row = (name: string) => rows.find(each => each.name === name)!

  test('is read from tables and from lines of JSON alike', () => {
    expect(readRun(measureTable(kept))).toEqual(
      new Map(kept.map(({ name, value, ratio }) => [name, { name, value, ratio }])),
    )
    expect([...readRun(jsonLines(kept)).keys()]).toEqual(kept.map(({ name }) => name))
    expect(() => readRun('| promise | goal |\n|---|---|\n| a call | 6.5 |')).toThrow('no measure')
  })

  test('is better above 1, whatever the unit, and is judged against the peer', () => {
    expect(row('calls-256-rate')).toMatchObject({ kept: 80_000, now: 40_000, better: 0.5 })
    expect(verdictOf(row('calls-256-rate'))).toBeCloseTo(1.1)
    expect(verdictOf(row('calls-256-cpu'))).toBe(0.5)
    expect(verdictOf(row('lost-answers'))).toBe(0)
    expect(verdictOf(row('lost-calls'))).toBeUndefined()
  })
})

describe('bun run bench compare', () => {
  const folder = mkdtempSync(join(tmpdir(), 'iii-compare-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const before = file('before.md', measureTable(kept))
  const after = file('after.json', jsonLines(now))

  async function run(...args: string[]) {
    const command = [process.execPath, join(import.meta.dir, '../../bench/run.ts'), 'compare', ...args]
    const child = Bun.spawn(command, { stdout: 'pipe', stderr: 'pipe' })
    const stdout = await new Response(child.stdout).text()
    const stderr = await new Response(child.stderr).text()
    return { stdout, stderr, exitCode: await child.exited }
  }

  test('prints a table, and ends with 0 however bad it is', async () => {
    const { stdout, exitCode } = await run('calls-256', '--run', after, '--with', before)
    expect(stdout).toContain('| calls-256-rate |  80,000 | 40,000 | calls/s |   0.50 |         1.10 |')
    expect(stdout).toContain('| nats-256-rate ')
    expect(stdout).not.toContain('lost-answers')
    expect(exitCode).toBe(0)
  })

  test('--fail-below ends with 1 and says which ones are', async () => {
    const bad = await run('--run', after, '--with', before, '--fail-below', '0.9')
    expect(bad.exitCode).toBe(1)
    expect(bad.stderr).toContain('calls-256-cpu is below 0.9')
    expect(bad.stderr).not.toContain('calls-256-rate is below')
    const good = await run(
      'calls-256-rate',
      '--no-peers',
      '--run',
      after,
      '--with',
      before,
      '--fail-below',
      '0.9',
    )
    expect(good.exitCode).toBe(0)
  })

  test('a file that holds no run is refused', async () => {
    const { stderr, exitCode } = await run('--run', file('empty.json', ''), '--with', before)
    expect(exitCode).toBe(2)
    expect(stderr).toContain('empty.json')
    expect(stderr).toContain('there is no measure in it')
  })
})
