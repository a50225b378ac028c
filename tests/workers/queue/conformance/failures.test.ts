/** Failures, back-off, and messages that failed for good. */
import { describe, expect, test } from 'bun:test'
import { limits } from '../../../../src/protocol/limits.ts'
import { backends, dataOf, lane, report, retry, setStage } from './backends.ts'

describe.each(backends)('failures in %s', (_, open) => {
  test('4 attempts with a back-off of 50 ms come 50, 100 and 200 ms apart, then it is dead', async () => {
    await using stage = setStage(open)
    await stage.publish('a')
    const policy = { ...retry, maxAttempts: 4 }
    const at: number[] = []
    const first = stage.nowMs()
    for (let outcome = 'again'; outcome === 'again'; ) {
      const [lease] = await stage.take(1, { retry: policy })
      if (lease === undefined) {
        await stage.pass(1)
        continue
      }
      at.push(stage.nowMs() - first)
      outcome = await stage.fail(lease)
    }
    expect(at).toEqual([0, 50, 150, 350])
  })

  test('back-off has a cap, and a share is left to chance', async () => {
    await using stage = setStage(open, { random: () => 0.5 })
    await stage.publish('a')
    const policy = { maxAttempts: 9, backoff: { ...retry.backoff, baseMs: 1000, maxMs: 1000, jitter: 0.2 } }
    for (let round = 0; round < 3; round++) {
      const [lease] = await stage.take(1, { retry: policy })
      await stage.fail(lease)
      await stage.pass(899)
      expect(await stage.data()).toEqual([])
      await stage.pass(2)
    }
  })

  test('who gives it back may say when it is to come again', async () => {
    await using stage = setStage(open)
    await stage.publish('a')
    const [lease] = await stage.take()
    await stage.fail(lease, 7)
    await stage.pass(6)
    expect(await stage.data()).toEqual([])
    await stage.pass(2)
    expect(await stage.data()).toEqual(['a'])
  })

  test('what is due again goes before what was published later', async () => {
    await using stage = setStage(open, { concurrency: 1 })
    for (const data of ['a', 'b', 'c']) await stage.publish(data)
    await stage.fail((await stage.take())[0])
    const [b] = await stage.take()
    expect(dataOf([b!])).toEqual(['b'])
    await stage.pass(50)
    await stage.finish(b)
    expect(await stage.data()).toEqual(['a'])
  })

  test('a dead message has its errors, with the times and who had it', async () => {
    await using stage = setStage(open)
    await stage.publish('a')
    for (const attempt of [1, 2, 3]) {
      const [lease] = await stage.take()
      const failed = { ...report(stage.nowMs(), `E${attempt}`), stack: 'at line 1', worker: `w${attempt}` }
      await stage.backend.fail(lease!.token, { report: failed })
      await stage.pass(1000)
    }
    const [dead] = await stage.backend.dead(['q'], 0, 10)
    expect(dead!.failures).toBe(3)
    expect(dead!.reports.map(({ code, worker }) => [code, worker])).toEqual([
      ['E1', 'w1'],
      ['E2', 'w2'],
      ['E3', 'w3'],
    ])
    expect(dead!.reports[2]!.stack).toBe('at line 1')
  })

  async function die(stage: ReturnType<typeof setStage>, ...all: string[]): Promise<string[]> {
    const receipts: string[] = []
    for (const data of all) {
      receipts.push(await stage.publish(data))
      const [lease] = await stage.take(1, { retry: { ...retry, maxAttempts: 1 } })
      await stage.fail(lease)
      await stage.pass(1)
    }
    return receipts
  }

  test('dead messages are listed, the latest first', async () => {
    await using stage = setStage(open)
    await die(stage, 'a', 'b', 'c')
    const page = await stage.backend.dead(['q'], 1, 1)
    expect(page.map(({ data }) => JSON.parse(data))).toEqual(['b'])
    expect(await stage.backend.state('q')).toMatchObject({ waiting: 0, dead: 3 })
  })

  test('of several queues together, and as many as are not too large, but one', async () => {
    await using stage = setStage(open)
    const part = limits.pageCharacters / 2
    for (const [queue, data] of [
      ['q', 'a'],
      ['r', 'b'],
      ['q', 'c'.repeat(part + 1)],
      ['r', 'd'.repeat(part)],
      ['q', 'e'.repeat(part)],
    ] as const) {
      await stage.publish(data, { queue })
      const [lease] = await stage.take(1, { lane: { ...lane, queue }, retry: { ...retry, maxAttempts: 1 } })
      await stage.fail(lease)
      await stage.pass(1)
    }
    const pageOf = async (offset: number, limit = 10) =>
      (await stage.backend.dead(['q', 'none', 'r'], offset, limit)).map(({ data }) => data[1])
    expect(await pageOf(0)).toEqual(['e'])
    expect(await pageOf(1)).toEqual(['d'])
    expect(await pageOf(2)).toEqual(['c', 'b', 'a'])
    expect(await pageOf(3, 1)).toEqual(['b'])
    expect(await pageOf(5)).toEqual([])
  })

  test('one, many or all of them are tried again, with no failures and the same receipts', async () => {
    await using stage = setStage(open)
    const [, b] = await die(stage, 'a', 'b', 'c', 'd')
    expect(await stage.backend.redrive('q', { receipt: b! })).toBe(1)
    const [lease] = await stage.take()
    expect(lease).toMatchObject({ attempt: 1, message: { failures: 0 } })
    expect(dataOf([lease!])).toEqual(['b'])
    expect(await stage.backend.redrive('q', { limit: 2 })).toBe(2)
    expect(await stage.data()).toEqual(['a', 'c'])
    expect(await stage.backend.redrive('q', { limit: 100 })).toBe(1)
    expect(await stage.backend.redrive('q', { limit: 100 })).toBe(0)
    expect(await stage.data()).toEqual(['d'])
  })

  test('one of them is removed', async () => {
    await using stage = setStage(open)
    const [a] = await die(stage, 'a')
    expect(await stage.backend.discard('q', a!)).toBe(1)
    expect(await stage.backend.discard('q', a!)).toBe(0)
    expect(await stage.backend.find(a!)).toBeUndefined()
  })
})
