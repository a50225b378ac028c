/** A store that cannot be read or written for a while. */
import { expect, test } from 'bun:test'
import { systemClock } from '../../../src/clock/clock.ts'
import { asJsonText } from '../../../src/protocol/jsonText.ts'
import { createMemoryPartition } from '../../../src/storage/mod.ts'
import { StorageError } from '../../../src/storage/storageError.ts'
import { createRecordingLog } from '../../support/fakes.ts'
import { callsOf, createQueues, dataOf } from './world.ts'

function fragile() {
  const inner = createMemoryPartition({ clock: systemClock, log: createRecordingLog() }, 0)
  const broken = { reads: false, writes: false }
  const fault = () => new StorageError('STORAGE_UNAVAILABLE', 'the disk is away')
  const partition: typeof inner = {
    ...inner,
    read(query) {
      if (broken.reads) throw fault()
      return inner.read(query)
    },
    submit: (commands, options) =>
      broken.writes ? Promise.reject(fault()) : inner.submit(commands, options),
  }
  return { partition, broken }
}

test('while it cannot be read nothing is handed out, and then everything', async () => {
  const { partition, broken } = fragile()
  const world = await createQueues({}, { partition })
  await world.enqueue('default', 'mail', 'x')
  broken.reads = true
  const worker = await world.worker('mail')
  expect(callsOf(worker)).toEqual([])
  expect((await world.ask('queue::stats', { queue: 'default' })).error?.code).toBe('STORAGE_UNAVAILABLE')
  broken.reads = false
  await world.pass(1001)
  expect(dataOf(callsOf(worker))).toEqual(['x'])
})

test('an end that cannot be written: the message comes again, but not in a hurry', async () => {
  const { partition, broken } = fragile()
  const world = await createQueues({}, { partition })
  const worker = await world.worker('mail')
  await world.enqueue('default', 'mail', 'x')
  broken.writes = true
  for (let round = 0; round < 3; round++) {
    const [call, ...others] = callsOf(worker)
    expect(others).toEqual([])
    expect(call!.data).toBe('x')
    await world.answer(worker, call)
    await world.pass(500)
    expect(callsOf(worker)).toEqual([])
    await world.pass(501)
  }
  broken.writes = false
  await world.answer(worker, callsOf(worker)[0])
  expect(await world.done('queue::stats', { queue: 'default' })).toMatchObject({ depth: 0 })
})

test('a publisher hears of it', async () => {
  const { partition, broken } = fragile()
  const world = await createQueues({}, { partition })
  broken.writes = true
  expect((await world.ask('iii::durable::publish', { topic: 't', data: 1 })).error?.code).toBe(
    'STORAGE_UNAVAILABLE',
  )
  expect((await world.enqueue('default', 'mail', 1)).error?.message).toContain('the disk is away')
})

test('a subscription that cannot be written is written when the store is back, with what has waited for it', async () => {
  const { partition, broken } = fragile()
  const world = await createQueues({}, { partition })
  await world.publish('orders', 1)
  const worker = await world.worker('mail')
  broken.writes = true
  await world.bind(worker, 't1', 'durable:subscriber', 'mail', { topic: 'orders' })
  expect(callsOf(worker)).toEqual([])
  broken.writes = false
  await world.pass(1001)
  expect(dataOf(callsOf(worker))).toEqual([1])
  const after = await createQueues({}, await world.kill())
  await after.publish('orders', 2)
  expect(await after.done('queue::stats', { queue: 'orders' })).toMatchObject({ depth: 2, consumer_count: 0 })
})

test('what an engine has not moved to the first subscription when it ends is moved by the next one', async () => {
  const world = await createQueues()
  const worker = await world.worker('mail')
  await world.bind(worker, 't1', 'durable:subscriber', 'mail', { topic: 'orders' })
  const left = { command: 'enqueue', queue: 'orders', data: asJsonText('"left"') } as const
  await world.partition.submit([left])
  const next = await createQueues({}, await world.kill())
  const again = await next.worker('mail')
  await next.bind(again, 't1', 'durable:subscriber', 'mail', { topic: 'orders' })
  expect(dataOf(callsOf(again))).toEqual(['left'])
})

test('a lease that runs out while its end cannot be written: the message comes again when it can', async () => {
  const world = await createQueues({ queue_configs: { default: { lease_ms: 100 } } })
  const { submit } = world.partition
  const worker = await world.worker('mail')
  await world.enqueue('default', 'mail', 'x')
  expect(callsOf(worker)).toHaveLength(1)
  const fault = new StorageError('STORAGE_UNAVAILABLE', 'the disk is away')
  Object.assign(world.partition, { submit: () => Promise.reject(fault) })
  await world.pass(101)
  Object.assign(world.partition, { submit })
  expect(callsOf(worker)).toEqual([])
  await world.pass(1001)
  expect(dataOf(callsOf(worker))).toEqual(['x'])
})
