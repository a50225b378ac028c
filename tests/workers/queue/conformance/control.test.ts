/** Keys against duplicates, bounds, and what is done to queues and messages from outside. */
import { describe, expect, test } from 'bun:test'
import { asJsonText } from '../../../../src/protocol/jsonText.ts'
import { backends, dataOf, lane, retry, setStage } from './backends.ts'

describe.each(backends)('control of %s', (_, open) => {
  test('the same key within its window is the same message, also after a restart', async () => {
    await using stage = setStage(open)
    const dedupe = { key: 'k', windowMs: 1000 }
    const first = await stage.publish('a', { dedupe })
    await stage.restart()
    const [again] = await stage.backend.publish([{ ...lane, data: asJsonText('1'), dedupe }])
    expect(again).toEqual({ receipt: first, isDuplicate: true })
    await stage.pass(1001)
    expect(await stage.publish('b', { dedupe })).not.toBe(first)
    expect(await stage.data()).toEqual(['a', 'b'])
  })

  test('a publisher that asks again with its receipt has published once', async () => {
    await using stage = setStage(open)
    const receipt = crypto.randomUUID()
    await stage.publish('a', { receipt })
    await stage.publish('a', { receipt })
    expect(await stage.data()).toEqual(['a'])
  })

  test('a message takes the place of the one with its receipt, dead or not', async () => {
    await using stage = setStage(open)
    const replacing = { receipt: 'k', replaces: true }
    await stage.publish('a', replacing)
    await stage.publish('b', replacing)
    const [b] = await stage.take(9, { retry: { ...retry, maxAttempts: 1 } })
    expect(dataOf([b!])).toEqual(['b'])
    await stage.fail(b)
    expect(await stage.publish('c', replacing)).toBe('k')
    expect(await stage.data()).toEqual(['c'])
    expect(await stage.backend.state('q')).toMatchObject({ dead: 0 })
  })

  test('all messages of a publish are there, or none', async () => {
    await using stage = setStage(open)
    await stage.backend.configure('full', undefined, { messages: 1 })
    const full = { ...lane, queue: 'full' }
    const data = asJsonText('1')
    const both = stage.backend.publish([
      { ...lane, data },
      { ...full, data },
      { ...full, data },
    ])
    expect(both).rejects.toMatchObject({ code: 'queue_full' })
    await both.catch(() => {})
    expect(await stage.data()).toEqual([])
  })

  test('a queue that has all it may have refuses, until something is done', async () => {
    await using stage = setStage(open)
    await stage.backend.configure('q', undefined, { messages: 2 })
    for (const data of ['a', 'b']) await stage.publish(data)
    expect(await stage.publish('c').catch(({ code }) => code)).toBe('queue_full')
    await stage.finish((await stage.take(1))[0])
    await stage.publish('c')
    expect(await stage.data()).toEqual(['b', 'c'])
  })

  test('one that is lossy drops its oldest instead', async () => {
    await using stage = setStage(open)
    await stage.backend.configure('q', undefined, { messages: 2, isLossy: true })
    for (const data of ['a', 'b', 'c']) await stage.publish(data)
    expect(await stage.data()).toEqual(['b', 'c'])
  })

  test('a queue that is paused hands out nothing; what is leased may end', async () => {
    await using stage = setStage(open)
    for (const data of ['a', 'b']) await stage.publish(data)
    const [a] = await stage.take(1)
    await stage.backend.pause('q', true)
    expect(await stage.data()).toEqual([])
    expect(await stage.finish(a)).toBe('done')
    expect((await stage.backend.queues(undefined, 10))[0]).toMatchObject({ name: 'q', isPaused: true })
    await stage.backend.pause('q', false)
    expect(await stage.data()).toEqual(['b'])
  })

  test('a message that is cancelled is gone, and who has it can end it no more', async () => {
    await using stage = setStage(open)
    const receipt = await stage.publish('a', { group: 'g' })
    await stage.publish('b', { group: 'g' })
    const [a] = await stage.take()
    expect(await stage.backend.cancel(receipt)).toBe(1)
    expect(await stage.backend.cancel(receipt)).toBe(0)
    await stage.fail(a)
    expect(await stage.backend.find(receipt)).toBeUndefined()
    expect(await stage.data()).toEqual(['b'])
  })

  test('a queue is purged, or what is in one state', async () => {
    await using stage = setStage(open)
    for (const data of ['a', 'b']) await stage.publish(data)
    await stage.publish('later', { dueAtMs: stage.nowMs() + 1000 })
    expect(await stage.backend.purge('q', 'scheduled')).toBe(1)
    expect(await stage.backend.purge('q', undefined)).toBe(2)
    expect(await stage.backend.state('q')).toMatchObject({ waiting: 0 })
    expect(await stage.data()).toEqual([])
  })

  test('messages that waited for anybody become those of the first who comes', async () => {
    await using stage = setStage(open)
    for (const data of ['a', 'b']) await stage.publish(data)
    const mail = { queue: 'q::mail@default', functionId: 'mail', namespace: undefined }
    expect(await stage.backend.adopt('q', mail)).toBe(2)
    const leases = await stage.take(9, { lane: mail })
    expect(dataOf(leases)).toEqual(['a', 'b'])
    expect(leases[0]!.message).toMatchObject(mail)
  })

  test('one that somebody has meanwhile comes to them when it is given back', async () => {
    await using stage = setStage(open)
    for (const data of ['a', 'b']) await stage.publish(data)
    const [a] = await stage.take(1)
    const mail = { queue: 'q::mail@default', functionId: 'mail', namespace: undefined }
    expect(await stage.backend.adopt('q', mail)).toBe(2)
    expect(await stage.data(9, { lane: mail })).toEqual(['b'])
    stage.told.length = 0
    expect(await stage.backend.giveBack(a!.token)).toBe(true)
    expect(stage.told).toEqual([mail.queue])
    expect(await stage.data()).toEqual([])
    expect(await stage.data(9, { lane: mail })).toEqual(['a'])
    expect(await stage.backend.state(mail.queue)).toMatchObject({ leased: 2 })
  })

  test('a queue that takes the place of one that is paused is paused, if it was not there before', async () => {
    await using stage = setStage(open)
    const mail = (queue: string) => ({ queue, functionId: 'mail', namespace: undefined })
    await stage.publish('a')
    await stage.backend.pause('q', true)
    await stage.backend.adopt('q', mail('new'))
    expect(await stage.data(9, { lane: mail('new') })).toEqual([])
    expect(await stage.backend.state('new')).toMatchObject({ isPaused: true })
    // Nothing of that is left to one that gets its name.
    await stage.publish('b')
    expect(await stage.data()).toEqual(['b'])
    await stage.backend.configure('known', undefined, { messages: 9 })
    await stage.backend.adopt('new', mail('known'))
    expect(await stage.backend.state('known')).toMatchObject({ isPaused: false })
    expect(await stage.data(9, { lane: mail('known') })).toEqual(['a'])
  })

  test('a message that is cancelled does not come again when it is given back', async () => {
    await using stage = setStage(open)
    const receipt = await stage.publish('a')
    const [a] = await stage.take()
    await stage.backend.cancel(receipt)
    expect(await stage.backend.giveBack(a!.token)).toBe(true)
    expect(await stage.data()).toEqual([])
  })

  test('messages are listed by state, in pages, and each names its reason', async () => {
    await using stage = setStage(open)
    for (let count = 0; count < 5; count++) await stage.publish(count)
    await stage.take(1)
    const seen: string[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await stage.backend.list('q', 'ready', cursor, 2)
      for (const { message, reason } of page.found) seen.push(`${message.data} ${reason}`)
      cursor = page.cursor
      if (cursor === undefined) break
    }
    expect(seen).toEqual(['0 leased', '1 ready', '2 ready', '3 ready', '4 ready'])
  })

  test('whatever a message waits for is its reason', async () => {
    await using stage = setStage(open, { concurrency: 2 })
    const receipts: Record<string, string> = {
      leased: await stage.publish('leased', { group: 'g' }),
      predecessor: await stage.publish('behind', { group: 'g' }),
      backing_off: await stage.publish('failed'),
      dead: await stage.publish('dead'),
    }
    const [, failed] = await stage.take(2)
    await stage.fail(failed, 10_000)
    const [dead] = await stage.take(1, { retry: { ...retry, maxAttempts: 1 } })
    await stage.fail(dead)
    receipts.scheduled = await stage.publish('later', { dueAtMs: stage.nowMs() + 5000 })
    receipts.ready = await stage.publish('next')
    for (const [reason, receipt] of Object.entries(receipts)) expect(await stage.reason(receipt)).toBe(reason)
    stage.backend.park(lane, 'no_worker')
    expect(await stage.reason(receipts.ready)).toBe('no_worker')
    stage.backend.park('q', 'paused')
    expect(await stage.reason(receipts.ready)).toBe('paused')
    stage.backend.unpark('q', 'paused')
    stage.backend.unpark(lane, 'no_worker')
    await stage.take(1)
    expect(await stage.reason(await stage.publish('last'))).toBe('no_capacity')
  })
})

describe.each(backends)('the state of a queue in %s', (_, open) => {
  test('has when its oldest message came, of those that wait for no time', async () => {
    await using stage = setStage(open)
    expect((await stage.backend.state('q')).oldestAtMs).toBeUndefined()
    const later = stage.nowMs() + 60_000
    await stage.publish('later', { dueAtMs: later })
    expect((await stage.backend.state('q')).oldestAtMs).toBeUndefined()
    await stage.pass(100)
    const first = stage.nowMs()
    await stage.publish('low')
    await stage.pass(100)
    await stage.publish('high', { priority: 5 })
    expect((await stage.backend.state('q')).oldestAtMs).toBe(first)
    await stage.pass(60_000)
    expect((await stage.backend.state('q')).oldestAtMs).toBe(later - 60_000)
  })

  test('has what came, was done and has failed in a second, over the last minute', async () => {
    await using stage = setStage(open)
    for (let count = 0; count < 6; count++) await stage.publish(count)
    const dedupe = { key: 'k', windowMs: 1000 }
    for (let count = 0; count < 2; count++) await stage.publish('same', { dedupe })
    const [a, b, c] = await stage.take()
    await stage.finish(a)
    await stage.finish(b)
    await stage.fail(c, 100_000)
    expect((await stage.backend.state('q')).rates).toEqual({
      published: 7 / 60,
      done: 2 / 60,
      failed: 1 / 60,
    })
    await stage.pass(30_000)
    expect((await stage.backend.state('q')).rates.published).toBe(7 / 60)
    // Leases of the others have run out meanwhile.
    await stage.pass(30_000)
    expect((await stage.backend.state('q')).rates).toMatchObject({ published: 0, done: 0 })
    expect((await stage.backend.state('other')).rates.published).toBe(0)
  })

  test('has how much is parked, and where', async () => {
    await using stage = setStage(open)
    const away = { ...lane, functionId: 'away' }
    for (const data of ['a', 'b']) await stage.publish(data, away)
    expect(await stage.backend.state('q')).toMatchObject({ parked: 0, parkedLanes: [] })
    stage.backend.park(away, 'no_worker')
    expect(await stage.backend.state('q')).toMatchObject({
      parked: 2,
      parkedLanes: [{ lane: away, reason: 'no_worker' }],
    })
    // Others go on, and how many of all these are for whom is not counted.
    await stage.publish('c')
    expect(await stage.backend.state('q')).toMatchObject({ parked: undefined, parkedLanes: [{ lane: away }] })
    await stage.backend.pause('q', true)
    expect(await stage.backend.state('q')).toMatchObject({ parked: 3 })
  })
})

describe.each(backends)('a queue without messages in %s', (_, open) => {
  test('can be dropped, and comes again when it is needed', async () => {
    await using stage = setStage(open)
    expect(await stage.backend.drop('q')).toBe(false)
    await stage.publish('a')
    expect(await stage.backend.drop('q')).toBe(false)
    await stage.finish((await stage.take())[0])
    expect(await stage.backend.drop('q')).toBe(true)
    expect(await stage.backend.queues(undefined, 10)).toEqual([])
    await stage.publish('b')
    expect(await stage.data()).toEqual(['b'])
  })
})
