/** Patterns and queue groups (`docs/pubsub.md#groups`). */
import { describe, expect, test } from 'bun:test'
import { unregisterFunction, unregisterTrigger } from '../../support/world.ts'
import { createPubsub, dataOf } from './support.ts'

test('a subscription to a pattern gets every message whose topic matches', async () => {
  const world = await createPubsub()
  const worker = world.worker('a::f', 'a::g')
  await world.subscribe(worker, 't1', 'a::f', { topic: 'orders.*' })
  await world.subscribe(worker, 't2', 'a::g', { topic: 'orders.>' })
  for (const topic of ['orders.new', 'orders.eu.new', 'orders', 'bills.new'])
    await world.publish(topic, topic)
  expect(dataOf(worker)).toEqual(['orders.new', 'orders.new', 'orders.eu.new'])
})

test('separators are those of the settings', async () => {
  const world = await createPubsub({ separators: '/' })
  const worker = world.worker('a::f')
  await world.subscribe(worker, 't', 'a::f', { topic: 'orders/*' })
  for (const topic of ['orders/a.b', 'orders/a/b']) await world.publish(topic, topic)
  expect(dataOf(worker)).toEqual(['orders/a.b'])
})

describe('of a group', () => {
  test('one member gets each message, in turns; others get them all', async () => {
    const world = await createPubsub()
    const members = [world.worker('a::f'), world.worker('b::f'), world.worker('c::f')]
    const outside = world.worker('d::f')
    for (const [index, member] of members.entries()) {
      await world.subscribe(member, `m${index}`, `${'abc'[index]}::f`, { topic: 't', group: 'workers' })
    }
    await world.subscribe(outside, 'o', 'd::f', { topic: 't' })
    const receipts: unknown[] = []
    for (let n = 0; n < 6; n++) {
      receipts.push((await world.publish('t', n, { with_receipt: true })).result)
    }
    expect(members.map(dataOf)).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ])
    expect(dataOf(outside)).toEqual([0, 1, 2, 3, 4, 5])
    expect(receipts).toEqual(Array.from({ length: 6 }, () => ({ subscribers: 2 })))
  })

  test('every group gets its own copy, whatever the topics of its members are', async () => {
    const world = await createPubsub()
    const worker = world.worker('a::f', 'b::f', 'c::f')
    await world.subscribe(worker, 'm1', 'a::f', { topic: 'orders.*', group: 'one' })
    await world.subscribe(worker, 'm2', 'b::f', { topic: 'orders.new', group: 'one' })
    await world.subscribe(worker, 'm3', 'c::f', { topic: 'orders.new', group: 'two' })
    await world.publish('orders.new', 1)
    await world.publish('orders.new', 2)
    const rows = await world.rows()
    expect([rows.m1!.delivered, rows.m2!.delivered, rows.m3!.delivered]).toEqual([1, 1, 2])
    expect(rows.m1).toMatchObject({ group: 'one' })
  })

  test('a member whose function is gone is passed over', async () => {
    const world = await createPubsub()
    const [one, other] = [world.worker('a::f'), world.worker('b::f')]
    await world.subscribe(one, 'm1', 'a::f', { topic: 't', group: 'g' })
    await world.subscribe(other, 'm2', 'b::f', { topic: 't', group: 'g' })
    one.says(unregisterFunction('a::f'))
    for (let n = 0; n < 4; n++) await world.publish('t', n)
    expect(dataOf(other)).toEqual([0, 1, 2, 3])
    expect(dataOf(one)).toEqual([])
  })

  test('a member whose condition says no is passed over', async () => {
    const world = await createPubsub()
    const worker = world.worker('a::f', 'b::f')
    await world.subscribe(worker, 'm1', 'a::f', { topic: 't', group: 'g', condition: 'n < 0' })
    await world.subscribe(worker, 'm2', 'b::f', { topic: 't', group: 'g' })
    for (let n = 0; n < 4; n++) await world.publish('t', { n })
    const { m1, m2 } = await world.rows()
    expect([m1!.delivered, m2!.delivered]).toEqual([0, 4])
  })

  test('the members that are left share what comes', async () => {
    const world = await createPubsub()
    const [one, other] = [world.worker('a::f'), world.worker('b::f')]
    await world.subscribe(one, 'm1', 'a::f', { topic: 't', group: 'g' })
    await world.subscribe(other, 'm2', 'b::f', { topic: 't', group: 'g' })
    one.says(unregisterTrigger('m1'))
    for (let n = 0; n < 3; n++) await world.publish('t', n)
    expect(dataOf(other)).toEqual([0, 1, 2])
    other.leaves()
    expect((await world.publish('t', 9, { with_receipt: true })).result).toEqual({ subscribers: 0 })
  })
})
