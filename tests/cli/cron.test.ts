/** `iii cron`: what it shows, and how it ends. */
import { describe, expect, test } from 'bun:test'
import { describeHistory, describeNext, describeSchedules } from '../../src/cli/cron/describe.ts'
import { connectRaw } from '../support/rawClient.ts'
import { runIii, startEngine, temporaryFolder } from './support.ts'

const NOW = Date.parse('2026-05-01T00:00:00Z')
const MADE = 'default/f::made * * * * * UTC'

const run = { scheduled_time: '2026-04-30T23:59:00+00:00', outcome: 'ok', attempt: 1 }
const schedule = {
  id: 'id-1',
  name: 'nightly',
  function_id: 'f::nightly',
  namespace: 'default',
  expression: '30 2 * * *',
  timezone: 'Europe/Berlin',
  next_run: '2026-05-01T00:30:00+00:00',
  paused: false,
  running: 0,
  waiting_ticks: 0,
  last_run: run,
}
const made = {
  ...schedule,
  id: 'id-2',
  name: MADE,
  function_id: 'f::made',
  expression: '* * * * *',
  timezone: 'UTC',
}

describe('the list', () => {
  test('names each schedule by what a command takes, and says how it is', () => {
    const schedules = [
      schedule,
      { ...made, next_run: null, last_run: null, paused: true },
      {
        ...schedule,
        name: 'busy',
        running: 1,
        waiting_ticks: 1,
        last_run: { ...run, outcome: 'left_out', reason: 'overlap' },
      },
    ]
    expect(describeSchedules({ schedules, total: 3 }, NOW, false).split('\n')).toEqual([
      'NAME     FUNCTION    EXPRESSION  TIMEZONE       NEXT                             LAST                           STATE',
      'nightly  f::nightly  30 2 * * *  Europe/Berlin  2026-05-01 00:30:00Z  in 30m 0s  2026-04-30 23:59:00Z  ok       waits',
      'id-2     f::made     * * * * *   UTC            never                            -                              paused',
      'busy     f::nightly  30 2 * * *  Europe/Berlin  2026-05-01 00:30:00Z  in 30m 0s  2026-04-30 23:59:00Z  overlap  runs, 1 waits',
      '',
    ])
  })
  test('has colours only where they are wanted, and they take no room', () => {
    const colourless = describeSchedules({ schedules: [schedule, made] }, NOW, false)
    const coloured = describeSchedules({ schedules: [schedule, made] }, NOW, true)
    expect(colourless).not.toContain('\x1b')
    expect(coloured).toContain('\x1b[32m2026-04-30 23:59:00Z  ok\x1b[0m')
    expect(Bun.stripANSI(coloured)).toBe(colourless)
  })
  test('of none says so', () => {
    expect(describeSchedules({ schedules: [], total: 0 }, NOW, false)).toBe('There are no schedules.\n')
  })
  test('can be made of whatever an engine of another version says', () => {
    for (const odd of [null, 1, {}, { schedules: 1 }]) describeSchedules(odd, NOW, false)
    const odd = { schedules: [null, { name: 'a\x1b[2Jb', next_run: 'soon', last_run: 5 }] }
    expect(describeSchedules(odd, NOW, false)).not.toContain('\x1b')
  })
})

test('a history has a line for each run, with how long it took and why it was left out', () => {
  const runs = [
    {
      ...run,
      started_at: '2026-04-30T23:59:00.010+00:00',
      ended_at: '2026-04-30T23:59:01.510+00:00',
      manual: true,
    },
    {
      ...run,
      outcome: 'failed',
      error: 'boom: no',
      started_at: '2026-04-30T23:59:00+00:00',
      ended_at: '2026-04-30T23:59:00.020+00:00',
    },
    { scheduled_time: run.scheduled_time, outcome: 'left_out', reason: 'paused', count: 3 },
  ]
  expect(describeHistory({ name: 'nightly', runs }, false).split('\n')).toEqual([
    'SCHEDULED                     OUTCOME   ATTEMPT  STARTED                   TOOK   WHY',
    '2026-04-30 23:59:00Z by hand  ok        1        2026-04-30 23:59:00.010Z  1.5 s',
    '2026-04-30 23:59:00Z          failed    1        2026-04-30 23:59:00Z      20 ms  boom: no',
    '2026-04-30 23:59:00Z          left_out  -        -                         -      paused, 3 times',
    '',
  ])
  expect(describeHistory({ name: 'nightly', runs: [] }, false)).toBe('nightly has not run yet.\n')
})

test('the next instants have a line each', () => {
  const instants = ['2026-05-01T00:00:05+00:00', '2026-05-02T01:00:00.500+00:00']
  expect(describeNext({ instants }, NOW)).toBe(
    '2026-05-01 00:00:05Z  in 5s\n2026-05-02 01:00:00.500Z  in 1d 1h\n',
  )
  expect(describeNext({ instants, timezone: 'UTC' }, NOW)).toBe(describeNext({ instants }, NOW))
  expect(describeNext({ instants, timezone: 'Europe/Berlin' }, NOW)).toBe(
    '2026-05-01 02:00:05 Europe/Berlin  2026-05-01 00:00:05Z  in 5s\n' +
      '2026-05-02 03:00:00 Europe/Berlin  2026-05-02 01:00:00.500Z  in 1d 1h\n',
  )
  expect(describeNext({ instants: [] }, NOW)).toBe('It never fires again.\n')
})

test('of a running engine it shows, runs, pauses and resumes schedules', async () => {
  using folder = temporaryFolder()
  await using engine = await startEngine(folder.path, { workers: '  - name: iii-cron\n' })
  await using raw = await connectRaw(`ws://127.0.0.1:${engine.port}`)
  raw.serve('clock::tick', ({ data }) => ({ result: { manual: (data as { manual?: boolean }).manual } }))
  raw.serve('clock::fail', () => ({ error: { code: 'no_paper', message: 'no paper in the printer' } }))
  const trigger = (id: string, function_id: string) =>
    raw.send({
      type: 'registertrigger',
      trigger_type: 'cron',
      id,
      function_id,
      config: { expression: '@yearly', name: id },
    })
  trigger('tick', 'clock::tick')
  trigger('bad', 'clock::fail')
  await raw.settled()
  const iii = (...words: string[]) => runIii(['cron', ...words, '--port', engine.port])

  const [listed, json, next, none] = await Promise.all([
    iii('ls'),
    iii('list', '--json'),
    iii('next', 'tick', '--count', '2', '--json'),
    iii('history', 'tick'),
  ])
  expect([listed.exitCode, listed.stderr]).toEqual([0, ''])
  expect(listed.stdout).toMatch(/^NAME +FUNCTION .*\ntick +clock::tick +@yearly +UTC .* waits\nbad +/)
  expect(JSON.parse(json.stdout)).toMatchObject({ total: 2, schedules: [{ name: 'tick' }, { name: 'bad' }] })
  expect(JSON.parse(next.stdout)).toMatchObject({
    expression: '@yearly',
    instants: [expect.any(String), expect.any(String)],
  })
  expect(none.stdout).toBe('tick has not run yet.\n')

  expect(await iii('run', 'tick')).toEqual({ exitCode: 0, stdout: '{\n  "manual": true\n}\n', stderr: '' })
  const failed = await iii('run', 'bad')
  expect([failed.exitCode, failed.stdout]).toEqual([1, ''])
  expect(failed.stderr).toStartWith('Error: {\n  "code": "no_paper"')
  expect((await iii('history', 'bad')).stdout).toContain('no_paper: no paper in the printer')

  const paused = await iii('pause', 'tick')
  expect(paused.stdout).toStartWith('tick is paused; it goes on with: ')
  expect((await iii('ls')).stdout).toMatch(/\ntick .* paused\n/)
  expect((await iii('resume', 'tick', '--json')).stdout).toBe('{\n  "name": "tick",\n  "paused": false\n}\n')

  const few = await iii('ls', '--limit', '1')
  expect(few.stderr).toStartWith('note: 1 of 2 schedules are shown')
  const unknown = await iii('run', 'nobody')
  expect([unknown.exitCode, unknown.stdout]).toEqual([1, ''])
  expect(unknown.stderr).toStartWith(
    "error: Cron job 'nobody' not found [NOT_FOUND]\nfix: name one of these: ",
  )
  const slow = await iii('run', 'tick', '--timeout-ms', '1')
  // It may be quicker than that.
  expect([0, 124]).toContain(slow.exitCode)
}, 60_000)

test('without an engine, without schedules, or written wrongly, it says what to do', async () => {
  using folder = temporaryFolder()
  await using engine = await startEngine(folder.path)
  const iii = (...words: string[]) => runIii(['cron', ...words])
  const [absent, without, nobody, both, alone, mistyped, odd] = await Promise.all([
    iii('ls', '--address', '127.0.0.1:1'),
    iii('ls', '--port', engine.port),
    iii('next'),
    iii('next', 'a', '--expression', '* * * * *'),
    iii(),
    iii('lss'),
    iii('history'),
  ])
  expect([absent.exitCode, without.exitCode]).toEqual([1, 1])
  expect(absent.stderr).toMatch(
    /^error: no engine answers at ws:\/\/127.0.0.1:1 \[ENGINE_UNREACHABLE\]\ncause: .*\nfix: start one: /,
  )
  expect(without.stderr).toContain(
    'has no cron::list [function_not_found]\ncause: its built-in worker iii-cron is not started\nfix: add `- name: iii-cron`',
  )
  expect([nobody, both, alone, mistyped, odd].map(({ exitCode }) => exitCode)).toEqual([2, 2, 2, 2, 2])
  expect(nobody.stderr).toStartWith('error: no schedule is named [wrong_usage]\nfix: write ')
  expect(mistyped.stderr).toContain('Did you mean ls?')
  for (const { stdout } of [absent, without, nobody, both, alone, mistyped, odd]) expect(stdout).toBe('')
}, 60_000)
