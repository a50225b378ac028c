/** An event that is given up by who has delivered it (`docs/delivery.md`). */
import { describe, expect, test } from 'bun:test'
import type { DeliveryOptions } from '../../src/delivery/deliveries.ts'
import { toJsonText } from '../../src/protocol/jsonText.ts'
import { createStage } from './stage.ts'

describe('an event that is given up', () => {
  function stage(options: DeliveryOptions) {
    const { deliveries, add, taken, calls } = createStage()
    const subscription = add('a', options)
    const endings: string[] = []
    const give = (n: number): AbortController => {
      const controller = new AbortController()
      deliveries.deliver([deliveries.get('a')!], {
        data: toJsonText(n),
        signal: controller.signal,
        over: (_, { kind }) => endings.push(`${n} ${kind}`),
      })
      return controller
    }
    return { deliveries, subscription, endings, give, taken, calls }
  }

  test('in its handler makes room, and its answer is nobody’s', async () => {
    const { give, taken, endings, subscription, deliveries } = stage({ concurrency: 1 })
    const first = give(1)
    give(2)
    const [call] = taken()
    first.abort()
    expect(endings).toEqual(['1 cancelled'])
    expect(call!.isCancelled()).toBe(true)
    const [second] = taken()
    expect(second!.value).toBe(2)
    second!.answer()
    await deliveries.idle()
    expect(endings).toEqual(['1 cancelled', '2 delivered'])
    expect(subscription.counters).toMatchObject({ delivered: 1, failed: 1, dropped: 0 })
    expect(subscription.waiting()).toEqual({ messages: 0, bytes: 0 })
  })

  test('while it waits, or its condition is asked, is not called', async () => {
    const { give, taken, endings, subscription } = stage({ concurrency: 2, conditionFunctionId: 'c' })
    const [one, two, three] = [give(1), give(2), give(3)]
    const [askOne, askTwo] = taken()
    two.abort()
    three.abort()
    expect(askTwo!.isCancelled()).toBe(true)
    askOne!.answer({ result: true })
    const [handler] = taken()
    expect(handler!.functionId).toBe('f::a')
    handler!.answer()
    one.abort()
    expect(endings).toEqual(['2 cancelled', '3 cancelled', '1 delivered'])
    expect(taken()).toEqual([])
    expect(subscription.waiting()).toEqual({ messages: 0, bytes: 0 })
  })

  test('behind one whose condition is asked keeps the order of the others', async () => {
    const { give, taken, endings } = stage({ concurrency: 3, conditionFunctionId: 'c' })
    give(1)
    const two = give(2)
    give(3)
    const asked = taken()
    asked[1]!.answer({ result: true })
    asked[2]!.answer({ result: true })
    two.abort()
    asked[0]!.answer({ result: true })
    expect(taken().map(({ value }) => value)).toEqual([1, 3])
    expect(endings).toEqual(['2 cancelled'])
  })
})
