/** Log lines of a shard on their way to the main thread. */
import { describe, expect, test } from 'bun:test'
import type { Log, LogLevel } from '../../src/log/log.ts'
import { limits } from '../../src/protocol/limits.ts'
import { createRemoteLog } from '../../src/threads/remoteLog.ts'
import type { FromShard } from '../../src/threads/shardTask.ts'

interface World {
  readonly log: Log
  /** What came, as a structured clone. */
  readonly lines: Extract<FromShard, { say: 'log' }>[]
  /** The main thread takes this many lines. */
  take(count: number): void
}

function createWorld(level: LogLevel = 'debug'): World {
  const underWay = new Int32Array(new SharedArrayBuffer(4))
  const lines: World['lines'] = []
  const post = (line: FromShard): void => {
    const clone = structuredClone(line)
    if (clone.say === 'log') lines.push(clone)
  }
  const log = createRemoteLog({ post, level, underWay })
  return { log, lines, take: count => void Atomics.sub(underWay, 0, count) }
}

describe('a line', () => {
  test('that the main thread would drop is not sent', () => {
    const { log, lines } = createWorld('warn')
    for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level](level, { n: 1 })
    expect(lines.map(({ message }) => message)).toEqual(['warn', 'error'])
  })

  test('keeps the stack of an error, and what can go of fields that cannot', () => {
    const { log, lines } = createWorld()
    const circle: Record<string, unknown> = { n: 1 }
    circle.self = circle
    log.error('plain', { error: new Error('a test asked for this'), run() {} })
    log.error('deep', { nested: { list: [() => {}, 7], promise: Promise.resolve(), symbol: Symbol('x') } })
    log.error('round', { circle, run: { deep() {} } })
    expect(lines[0]!.fields).toMatchObject({ error: expect.stringContaining('remoteLog.test'), run: '…' })
    expect(lines[1]!.fields).toEqual({ nested: { list: ['…', 7], promise: {}, symbol: '…' } })
    expect(lines[2]!.fields).toMatchObject({ circle: { n: 1 }, run: { deep: '…' } })
  })

  test('whose fields cannot be read comes without them', () => {
    const { log, lines } = createWorld()
    const nested = Object.defineProperty({ run() {} }, 'secret', {
      enumerable: true,
      get() {
        throw new Error('a test asked for this')
      },
    })
    log.warn('unreadable', { nested })
    expect(lines).toMatchObject([{ message: 'unreadable', fields: { fields: '…' } }])
  })
})

test('lines that nobody takes are bounded, and those left out are counted', () => {
  const { log, lines, take } = createWorld()
  for (let line = 0; line < limits.shardLogLines + 30; line++) log.info('flood')
  expect(lines).toHaveLength(limits.shardLogLines)
  take(limits.shardLogLines)
  log.info('again')
  expect(lines.slice(limits.shardLogLines)).toMatchObject([
    { level: 'warn', fields: { count: 30 } },
    { level: 'info', message: 'again' },
  ])
})
