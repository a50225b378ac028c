/** What handlers return, where it was asked for. */
import { describe, expect, test } from 'bun:test'
import { asJsonText } from '../../../../src/protocol/jsonText.ts'
import { limits } from '../../../../src/protocol/limits.ts'
import { receiptWithResult } from '../../../../workers/queue/keptResult.ts'
import { backends, RESULT_MS, retry, setStage } from './backends.ts'

const newReceipt = () => receiptWithResult(crypto.randomUUID())

describe.each(backends)('results of %s', (_, open) => {
  test('what a message has ended with is kept for a time, also over a restart', async () => {
    await using stage = setStage(open)
    const receipt = newReceipt()
    await stage.publish('a', { receipt })
    const [a] = await stage.take()
    expect(await stage.backend.result(receipt)).toBeUndefined()
    expect(await stage.backend.finish(a!.token, asJsonText('{"n":1}'))).toBe('done')
    const endedAtMs = stage.nowMs()
    await stage.restart()
    expect(await stage.backend.result(receipt)).toEqual({
      endedAtMs,
      keptUntilMs: endedAtMs + RESULT_MS,
      result: asJsonText('{"n":1}'),
      bytes: 7,
    })
    await stage.pass(RESULT_MS)
    expect(await stage.backend.result(receipt)).toBeUndefined()
  })

  test('of other messages nothing is kept', async () => {
    await using stage = setStage(open)
    const receipt = crypto.randomUUID()
    await stage.publish('a', { receipt })
    const [a] = await stage.take()
    await stage.backend.finish(a!.token, asJsonText('1'))
    expect(await stage.backend.result(receipt)).toBeUndefined()
  })

  test('one that is too large is not kept, and its size is known', async () => {
    await using stage = setStage(open)
    const receipt = newReceipt()
    await stage.publish('a', { receipt })
    const [a] = await stage.take()
    const large = asJsonText(`"${'x'.repeat(limits.queueResultBytes)}"`)
    expect(await stage.backend.finish(a!.token, large)).toBe('done')
    expect(await stage.backend.result(receipt)).toMatchObject({
      result: undefined,
      bytes: limits.queueResultBytes + 2,
    })
  })

  test('large ones that end together are all kept', async () => {
    await using stage = setStage(open)
    const receipts = Array.from({ length: 70 }, newReceipt)
    for (const receipt of receipts) await stage.publish('a', { receipt })
    const leases = await stage.take(70, { hasPlace: false })
    const large = asJsonText(`"${'x'.repeat(limits.queueResultBytes - 2)}"`)
    const ended = await Promise.all(leases.map(({ token }) => stage.backend.finish(token, large)))
    expect(ended).toEqual(leases.map(() => 'done'))
    for (const receipt of receipts)
      expect(await stage.backend.result(receipt)).toMatchObject({ bytes: limits.queueResultBytes })
    // 70 MiB are written.
  }, 60_000)

  test('all of them together have a bound: the oldest go before their time, and those that are over make room', async () => {
    const each = 1000 + 2 * limits.queueResultExtraBytes
    await using stage = setStage(open, { resultsBytes: 10 * each })
    const receipts: string[] = []
    async function keep(count: number, length = 1000): Promise<void> {
      for (let of = 0; of < count; of++) {
        receipts.push(newReceipt())
        await stage.publish('a', { receipt: receipts.at(-1)! })
        const [lease] = await stage.take(1)
        await stage.backend.finish(lease!.token, asJsonText(`"${'x'.repeat(length)}"`))
      }
      for (let turn = 0; turn < 10; turn++) await stage.settled()
    }
    const kept = async () => {
      const found: number[] = []
      for (const [place, receipt] of receipts.entries())
        if ((await stage.backend.result(receipt)) !== undefined) found.push(place)
      return found
    }
    await keep(8)
    expect(await kept()).toHaveLength(8)
    await stage.restart()
    await keep(12)
    const some = await kept()
    expect(some.length).toBeGreaterThanOrEqual(9)
    expect(some.length).toBeLessThanOrEqual(12)
    expect(some).toEqual(Array.from({ length: some.length }, (_, place) => 20 - some.length + place))
    // One takes the place of many.
    await keep(1, 9 * each)
    expect((await kept()).length).toBeLessThanOrEqual(2)
    await stage.pass(RESULT_MS + 1)
    await keep(8)
    expect(await kept()).toEqual([21, 22, 23, 24, 25, 26, 27, 28])
  })

  test('a message that was cancelled has none, whatever its holder returns', async () => {
    await using stage = setStage(open)
    const receipt = newReceipt()
    await stage.publish('a', { receipt })
    const [a] = await stage.take()
    await stage.backend.cancel(receipt)
    await stage.backend.finish(a!.token, asJsonText('1'))
    expect(await stage.backend.result(receipt)).toBeUndefined()
  })

  test('who follows is told of what is gone: done, dead or cancelled', async () => {
    await using stage = setStage(open)
    for (const data of ['a', 'b']) await stage.publish(data)
    const cancelled = await stage.publish('c')
    const [a, b] = await stage.take(2, { retry: { ...retry, maxAttempts: 1 } })
    await stage.finish(a)
    await stage.fail(b)
    await stage.backend.cancel(cancelled)
    expect(stage.gone).toEqual(['"a"', '"b"', '"c"'])
  })
})
