/** `iii queue`: what it shows, and how it ends. */
import { describe, expect, test } from 'bun:test'
import { describeDead, describeMessages, describeQueues } from '../../src/cli/queue/describe.ts'
import { describeProgress } from '../../src/cli/queue/progress.ts'
import type { Terminal } from '../../src/cli/terminal.ts'
import { connectRaw } from '../support/rawClient.ts'
import { until } from '../support/waiting.ts'
import { runIii, startEngine, temporaryFolder } from './support.ts'

const NOW = Date.parse('2026-05-01T00:00:00Z')

describe('the list', () => {
  const queues = [
    {
      queue: 'orders',
      kind: 'queue',
      oldest_ms: 65_000,
      ready: 3,
      delayed: 0,
      leased: 2,
      behind: 0,
      dlq_depth: 0,
      consumer_count: 10,
      functions: 2,
    },
    {
      queue: 'mails',
      kind: 'topic',
      paused: true,
      ready: 1200,
      delayed: 4,
      leased: 0,
      behind: 7,
      dlq_depth: 5,
      consumer_count: 1,
      functions: 0,
    },
  ]
  test('says of each queue how full it is', () => {
    expect(describeQueues({ queues }, false).split('\n')).toEqual([
      'QUEUE   KIND   STATE   OLDEST  READY  DELAYED  LEASED  BEHIND  DEAD  CONSUMERS',
      'orders  queue  open     1m 5s      3        0       2       0     0          2',
      'mails   topic  paused       -   1200        4       0       7     5          0',
      '',
    ])
  })
  test('has colours only where they are wanted, and they take no room', () => {
    const coloured = describeQueues({ queues }, true)
    expect(coloured).toContain('\x1b[33mpaused\x1b[0m')
    expect(Bun.stripANSI(coloured)).toBe(describeQueues({ queues }, false))
  })
  test('of none says so', () => {
    expect(describeQueues({ queues: [] }, false)).toBe('There are no queues.\n')
  })
})

test('messages have a line each, with the reason why they are not handled now, and a part of their data', () => {
  const messages = [
    {
      id: 'm1',
      reason: 'no_worker',
      attempt: 0,
      enqueued_at: NOW - 65_000,
      function_id: 'f::a',
      data: { text: 'x'.repeat(90) },
    },
    {
      id: 'm2',
      reason: 'backing_off',
      attempt: 2,
      enqueued_at: NOW,
      due_at: NOW + 5000,
      group: 'g',
      data: 'a\x1b[2Jb',
    },
  ]
  const text = describeMessages({ messages }, NOW, false)
  expect(text.split('\n').map(line => line.slice(0, 62))).toEqual([
    'ID  REASON       ATTEMPT  AGE    DUE    GROUP  FUNCTION  DATA',
    'm1  no_worker    0        1m 5s  -      -      f::a      {"tex',
    'm2  backing_off  2        0s     in 5s  g      -         "a\\u0',
    '',
  ])
  expect(text).toContain('x…')
  expect(text).not.toContain('\x1b')
  expect(describeMessages({ messages: [] }, NOW, false)).toBe('There are no such messages.\n')
})

test('priorities of messages are shown where they differ', () => {
  const messages = [
    { id: 'm1', reason: 'ready', attempt: 0, enqueued_at: NOW, priority: 7, data: 1 },
    { id: 'm2', reason: 'ready', attempt: 0, enqueued_at: NOW, priority: 0, data: 2 },
  ]
  expect(describeMessages({ messages }, NOW, false).split('\n')).toEqual([
    'ID  REASON  ATTEMPT  AGE  DUE  PRIORITY  GROUP  FUNCTION  DATA',
    'm1  ready   0        0s   -    7         -      -         1',
    'm2  ready   0        0s   -    0         -      -         2',
    '',
  ])
  expect(describeMessages({ messages: messages.slice(0, 1) }, NOW, false)).not.toContain('PRIORITY')
})

test('dead messages have a line each, with what went wrong', () => {
  const dead = [
    { id: 'm1', failed_at: NOW / 1000 - 60, retries: 3, error: 'boom: no\nmore', payload: { a: 1 } },
  ]
  expect(describeDead(dead, NOW, false).split('\n')).toEqual([
    'ID  DIED       ATTEMPTS  ERROR          DATA',
    'm1  1m 0s ago  3         boom: no more  {"a":1}',
    '',
  ])
  expect(describeDead([], NOW, false)).toBe('There are no dead messages.\n')
})

test('what engines of other versions say is shown as far as it is understood', () => {
  for (const odd of [null, 1, {}, [null], { queues: [1] }, { messages: [null] }]) {
    describeQueues(odd, false)
    describeMessages(odd, NOW, false)
    describeDead(odd, NOW, false)
  }
})

test('progress is one line of a terminal, and nothing elsewhere', () => {
  const shown = (human: boolean): string => {
    let text = ''
    const write = (more: string): void => {
      text += more
    }
    const progress = describeProgress({ human, err: write } as Terminal, 'redriven', 20)
    progress.at(10)
    progress.at(20)
    progress.end()
    return text
  }
  expect(shown(true)).toBe(`\r10 of 20 redriven\r20 of 20 redriven\r${' '.repeat(17)}\r`)
  expect(shown(false)).toBe('')
})

test('of a running engine it shows and controls queues', async () => {
  using folder = temporaryFolder()
  await using engine = await startEngine(folder.path, { workers: '  - name: iii-queue\n' })
  await using raw = await connectRaw(`ws://127.0.0.1:${engine.port}`)
  const iii = (...args: string[]) => runIii(['queue', ...args, '--port', String(engine.port)])
  const json = async (...args: string[]) => JSON.parse((await iii(...args, '--json')).stdout)
  const push = async (queue: string, data: unknown) => {
    const { result } = await raw.call('queue::push', { queue, data })
    return (result as { messageReceiptId: string }).messageReceiptId
  }
  let isBroken = true
  raw.serve('mail::send', () =>
    isBroken ? { error: { code: 'no_paper', message: 'no paper in the printer' } } : { result: null },
  )
  raw.send({
    type: 'registertrigger',
    trigger_type: 'durable:subscriber',
    id: 'mails',
    function_id: 'mail::send',
    config: { topic: 'mails', queue_config: { maxRetries: 0 } },
  })
  for (let number = 0; number < 3; number++) await push('mails', { number })
  await until('the dead are counted', async () =>
    (await json('ls')).queues.some((row: { dlq_depth: number }) => row.dlq_depth === 3),
  )

  expect((await iii('ls')).stdout).toContain('mails    topic  open')
  const dead = await json('dlq', 'mails')
  expect(dead.map(({ error }: { error: string }) => error)).toEqual(
    Array(3).fill('no_paper: no paper in the printer'),
  )
  expect((await iii('dlq', 'mails')).stdout).toContain('no_paper: no paper in the printer')

  isBroken = false
  expect((await iii('redrive', 'mails', '--message', dead[0].id)).stdout).toBe(
    `${dead[0].id} is tried again\n`,
  )
  expect((await iii('discard', 'mails', dead[1].id)).stdout).toBe(`${dead[1].id} is gone\n`)
  expect(await json('redrive', 'mails', '--filter', 'no ink')).toEqual({ queue: 'mails', redriven: 0 })
  expect(await json('redrive', 'mails', '--since', '2099-01-01')).toEqual({ queue: 'mails', redriven: 0 })
  const some = ['--filter', 'no paper', '--since', '1h', '--rate', '1000']
  expect(await json('redrive', 'mails', ...some)).toEqual({ queue: 'mails', redriven: 1 })
  await until('the dead are counted', async () =>
    (await json('ls')).queues.every((row: { dlq_depth: number }) => row.dlq_depth === 0),
  )

  expect((await iii('pause', 'default')).stdout).toStartWith('default is paused; it goes on with: ')
  const waiting = await push('default', { waits: true })
  expect((await iii('peek', 'default')).stdout).toMatch(/paused .*\{"waits":true\}/)
  expect(await json('message', waiting)).toMatchObject({
    id: waiting,
    reason: 'paused',
    data: { waits: true },
  })
  expect((await iii('resume', 'default')).stdout).toBe('default goes on\n')
  expect((await iii('cancel', waiting)).stdout).toBe(`${waiting} is gone\n`)
  expect(await iii('message', waiting)).toMatchObject({
    exitCode: 1,
    stdout: '',
    stderr: expect.stringContaining('queue peek'),
  })

  await push('default', 1)
  expect(await iii('purge', 'default')).toMatchObject({
    exitCode: 2,
    stdout: '',
    stderr: expect.stringContaining('--yes'),
  })
  expect((await iii('purge', 'default', '--yes')).stdout).toBe('1 removed\n')
  expect(await iii('redrive', 'mails', '--since', 'yesterday')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('2h'),
  })
  expect(await iii('redrive', 'mails', '--message', 'a', '--limit', '1')).toMatchObject({
    exitCode: 2,
    stdout: '',
  })
}, 60_000)

test('a name that nothing has is refused, with the nearest one, and nothing is done', async () => {
  using folder = temporaryFolder()
  await using engine = await startEngine(folder.path, { workers: '  - name: iii-queue\n' })
  await using raw = await connectRaw(`ws://127.0.0.1:${engine.port}`)
  const iii = (...args: string[]) => runIii(['queue', ...args, '--port', String(engine.port)])
  const commands = [
    ['pause', 'defualt'],
    ['resume', 'defualt'],
    ['peek', 'defualt'],
    ['dlq', 'defualt', '--json'],
    ['purge', 'defualt', '--yes'],
    ['redrive', 'defualt'],
    ['redrive', 'defualt', '--message', 'm'],
    ['discard', 'defualt', 'm'],
  ]
  for (const words of commands) {
    const { exitCode, stdout, stderr } = await iii(...words)
    expect([words, exitCode, stdout]).toEqual([words, 1, ''])
    expect(stderr).toContain("error: there is no queue and no topic 'defualt' [queue_not_found]")
    expect(stderr).toContain(
      `queue ${words.filter(word => !/yes|json/.test(word)).join(' ')}'?`.replace('defualt', 'default'),
    )
  }
  expect((await raw.call('queue::list')).result).toMatchObject({ queues: [{ queue: 'default' }] })
  expect((await iii('peek', 'nowhere')).stderr).toContain('fix: ')
  expect((await iii('peek', '__fn_queue::default')).exitCode).toBe(0)
  // One that is only paused is there, so that it can go on.
  await raw.call('queue::pause', { queue: 'later' })
  expect((await iii('resume', 'later')).stdout).toBe('later goes on\n')
}, 60_000)

test('who looks for a command to push is told what to type', async () => {
  expect(await runIii(['queue', 'push', 'mails', '--data', '1'])).toMatchObject({
    exitCode: 2,
    stdout: '',
    stderr: expect.stringMatching(/trigger queue::push queue=NAME data=VALUE, or .*--enqueue NAME/),
  })
  expect((await runIii(['queue', '--help'])).stdout).not.toContain('push')
})

test('a message that is not there is a failure, and what is written wrongly is wrong usage', async () => {
  using folder = temporaryFolder()
  await using engine = await startEngine(folder.path, { workers: '  - name: iii-queue\n' })
  const iii = (...args: string[]) => runIii(['queue', ...args, '--port', String(engine.port)])
  const missing = {
    exitCode: 1,
    stdout: '',
    stderr: expect.stringMatching(/^error: m .*\[NOT_FOUND\]\nfix: /),
  }
  expect(await iii('cancel', 'm')).toMatchObject(missing)
  expect(await iii('cancel', 'm', '--json')).toMatchObject(missing)
  expect(await iii('discard', 'default', 'm')).toMatchObject(missing)
  expect(await iii('redrive', 'default', '--message', 'm')).toMatchObject(missing)

  const wrong = (what: string) => ({ exitCode: 2, stdout: '', stderr: expect.stringContaining(what) })
  expect(await iii('peek', 'default', '--state', 'foo')).toMatchObject(wrong('ready, delayed, leased'))
  expect(await iii('purge', 'default', '--state', 'foo')).toMatchObject(wrong('ready, delayed, behind, dead'))
  for (const cursor of ['junk', '0.junk'])
    expect(await iii('peek', 'default', '--cursor', cursor)).toMatchObject(wrong('fix: leave --cursor out'))
  expect((await iii('redrive', 'default', '--json')).stdout).toBe(
    '{\n  "queue": "default",\n  "redriven": 0\n}\n',
  )
}, 60_000)
