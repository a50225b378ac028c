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
