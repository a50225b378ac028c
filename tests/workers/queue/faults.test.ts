/** A store that cannot be read or written for a while. */
import { expect, test } from 'bun:test'
import { systemClock } from '../../../src/clock/clock.ts'
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
