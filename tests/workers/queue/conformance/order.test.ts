/** In which order messages are handed out. */
import { describe, expect, test } from 'bun:test'
import { backends, dataOf, retry, setStage } from './backends.ts'

describe.each(backends)('order in %s', (_, open) => {
  test('oldest first', async () => {
    await using stage = setStage(open)
    for (let count = 0; count < 9; count++) await stage.publish(count)
    expect(await stage.data()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  })

  test('messages of a group come one after the other, groups in parallel', async () => {
    await using stage = setStage(open)
    for (const data of ['a1', 'a2', 'b1', 'b2']) await stage.publish(data, { group: data[0] })
    const [a1] = await stage.take()
    expect(await stage.data()).toEqual([])
    await stage.finish(a1)
    expect(await stage.data()).toEqual(['a2'])
  })

  test('a failed message holds its group up until it has succeeded', async () => {
    await using stage = setStage(open)
    for (const data of ['a1', 'a2']) await stage.publish(data, { group: 'a' })
    await stage.fail((await stage.take())[0])
    expect(await stage.data()).toEqual([])
    await stage.pass(51)
    const [again] = await stage.take()
    expect(dataOf([again!])).toEqual(['a1'])
    await stage.finish(again)
    expect(await stage.data()).toEqual(['a2'])
  })

  test('or until it is dead', async () => {
    await using stage = setStage(open)
    for (const data of ['a1', 'a2']) await stage.publish(data, { group: 'a' })
    const [first] = await stage.take(1, { retry: { ...retry, maxAttempts: 1 } })
    await stage.fail(first)
    expect(await stage.data()).toEqual(['a2'])
  })

  test('a group is in order over the functions that its messages are for', async () => {
    await using stage = setStage(open)
    const one = { queue: 'q', functionId: 'one', namespace: undefined }
    const other = { queue: 'q', functionId: 'other', namespace: undefined }
    await stage.publish('first', { ...one, group: 'g' })
    await stage.publish('second', { ...other, group: 'g' })
    expect(await stage.data(9, { lane: other })).toEqual([])
    await stage.finish((await stage.take(9, { lane: one }))[0])
    expect(await stage.data(9, { lane: other })).toEqual(['second'])
  })

  test('higher priorities first, in order among themselves', async () => {
    await using stage = setStage(open)
    for (const [data, priority] of [
      ['low1', 0],
      ['high1', 9],
      ['low2', 0],
      ['high2', 9],
    ] as const)
      await stage.publish(data, { priority })
    expect(await stage.data()).toEqual(['high1', 'high2', 'low1', 'low2'])
  })

  test('low priorities do not wait for ever: each eighth lease is for the oldest', async () => {
    await using stage = setStage(open, { concurrency: 100 })
    await stage.publish('low')
    for (let count = 0; count < 700; count++) void stage.publish(count, { priority: 9 })
    await stage.settled()
    const data = [...(await stage.data(4)), ...(await stage.data(4)), ...(await stage.data(4))]
    expect(data.indexOf('low')).toBe(7)
    expect(new Set(data).size).toBe(data.length)
  })

  test('a priority survives a failure', async () => {
    await using stage = setStage(open, { concurrency: 1 })
    await stage.publish('high', { priority: 9 })
    await stage.publish('low')
    await stage.fail((await stage.take())[0])
    await stage.pass(51)
    expect(await stage.data()).toEqual(['high'])
  })

  test('not before its time: a delay, or a time of day', async () => {
    await using stage = setStage(open)
    await stage.publish('later', { dueAtMs: stage.nowMs() + 100 })
    await stage.publish('past', { dueAtMs: 1 })
    expect(await stage.data()).toEqual(['past'])
    await stage.pass(99)
    expect(await stage.data()).toEqual([])
    await stage.pass(2)
    expect(await stage.data()).toEqual(['later'])
  })

  test('a scheduled message survives a restart and comes at its time', async () => {
    await using stage = setStage(open)
    await stage.publish('later', { dueAtMs: stage.nowMs() + 100 })
    await stage.restart()
    expect(await stage.data()).toEqual([])
    await stage.pass(101)
    expect(await stage.data()).toEqual(['later'])
  })

  test('a hot queue does not slow another one', async () => {
    await using stage = setStage(open, { concurrency: 1 })
    for (let count = 0; count < 20; count++) await stage.publish('hot')
    const small = { queue: 'small', functionId: undefined, namespace: undefined }
    await stage.publish('small', small)
    await stage.take()
    expect(await stage.data(9, { lane: small })).toEqual(['small'])
  })
})
