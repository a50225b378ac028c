/** The disk of the queues is full, and then has room again. Needs a small file system of its own. */
import { afterAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { startEngine } from '../support/engineProcess.ts'
import { connectRaw, type Outcome } from '../support/rawClient.ts'
import { mountSmallDisk } from '../support/smallDisk.ts'
import { until } from '../support/waiting.ts'

const PATIENT_MS = 120_000
const DATA_BYTES = 20_000

const disk = mountSmallDisk()
if (disk === undefined)
  console.log('tests of a full disk are skipped: only root can mount a small file system')
afterAll(() => disk?.[Symbol.dispose]())

describe.skipIf(disk === undefined)('queues whose disk is full', () => {
  test(
    'acknowledge nothing that they cannot keep, go on reading, and lose nothing and make up nothing',
    async () => {
      const { folder, makeRoom } = disk!
      const workers = `  - name: iii-queue
    config: { adapter: { config: { file_path: ${join(folder, 'data')}, backoff_ms: 1 } } }`
      await using engine = await startEngine({ workers })
      let client = await connectRaw(engine.url)
      const acknowledged = new Set<number>()
      let made = 0

      /** A copy for whoever takes it, or a call of a function. */
      async function publish(): Promise<boolean> {
        const n = made++
        const data = { n, text: 'x'.repeat(DATA_BYTES) }
        const more = n % 2 === 0 ? {} : { function_id: 'full::handle' }
        const { error } = await client.call('queue::push', { queue: 'default', data, ...more })
        if (error === undefined) acknowledged.add(n)
        else expect(error.code).toBe('STORAGE_UNAVAILABLE')
        return error === undefined
      }
      const resultOf = async <Result>(id: string, input: object): Promise<Result> => {
        const { result, error }: Outcome = await client.call(id, input)
        expect(error).toBeUndefined()
        return result as Result
      }
      const depth = async (): Promise<number> =>
        (await resultOf<{ depth: number }>('queue::stats', { queue: 'default' })).depth

      await until('the disk is full', async () => {
        for (let count = 0; count < 20; count++) if (!(await publish())) return true
        return false
      })
      await Promise.all(Array.from({ length: 20 }, publish))
      expect(acknowledged.size).toBeGreaterThan(10)
      expect(engine.log()).toContain('is full')
      expect(
        (await client.call('iii::durable::publish', { topic: 't', data: 'x'.repeat(DATA_BYTES) })).error
          ?.code,
      ).toBe('STORAGE_UNAVAILABLE')
      // Reading, and what is not written.
      expect(await depth()).toBe(acknowledged.size)
      const { messages } = await resultOf<{ messages: object[] }>('queue::messages', { queue: 'default' })
      expect(messages.length).toBeGreaterThan(0)
      interface Popped {
        readonly id: string
        readonly lease_id: string
        readonly data: { n: number }
      }
      const popped = (await resultOf<{ messages: Popped[] }>('queue::pop', { queue: 'default', max: 2 }))
        .messages
      expect(popped).toHaveLength(2)
      const [first] = popped as [Popped]
      const ack = { id: first.id, lease_id: first.lease_id }
      await resultOf('queue::extend', { ...ack, lease_ms: 60_000 })
      // An end that was not written is none: it is so, or a code says that it is not.
      const acked = await client.call('queue::ack', ack)
      if (acked.error !== undefined) expect(acked.error.code).toBe('STORAGE_UNAVAILABLE')
      const taken: number[] = acked.error === undefined ? [first.data.n] : []
      // Whoever handles messages now may do it again.
      const handled = new Set<number>()
      client.serve('full::handle', ({ data }) => {
        handled.add((data as { n: number }).n)
        return { result: null }
      })
      await until('some are handled', () => handled.size > 0)

      makeRoom()
      await until('writes are acknowledged again', publish)
      for (let count = 0; count < 4; count++) expect(await publish()).toBe(true)
      const released = popped.map(({ id, lease_id }) => ({ id, lease_id }))
      await client.call('queue::release', { messages: released })
      await until('all but those for takers are done', async () => {
        const rest = await resultOf<{ messages: { function_id?: string }[] }>('queue::messages', {
          queue: 'default',
          limit: 1000,
        })
        return rest.messages.every(({ function_id }) => function_id === undefined)
      })
      await client.close()
      await engine.restart('SIGKILL')
      client = await connectRaw(engine.url)
      for (let left = await depth(); left > 0; left = await depth()) {
        const page = await resultOf<{ messages: Popped[] }>('queue::pop', { queue: 'default', max: 10 })
        for (const { id, lease_id, data } of page.messages) {
          taken.push(data.n)
          await resultOf('queue::ack', { id, lease_id })
        }
      }
      const sorted = (numbers: Iterable<number>) => [...numbers].sort((one, other) => one - other)
      expect(sorted([...taken, ...handled])).toEqual(sorted(acknowledged))
      expect(await resultOf<{ dlq_depth: number }>('queue::stats', { queue: 'default' })).toMatchObject({
        dlq_depth: 0,
      })
      await client.close()
    },
    PATIENT_MS,
  )
})
