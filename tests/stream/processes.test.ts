/** Streams of a real engine: clients on several threads, threads that are lost, and a restart. */
import { describe, expect, test } from 'bun:test'
import { connectRaw, type RawClient } from '../support/rawClient.ts'
import { until } from '../support/waiting.ts'
import { type AttackedEngine, startAttackedEngine } from '../threads/attack/engine.ts'
import { type Client, connect, item } from './support.ts'

const PATIENT_MS = 60_000

const shapes: [name: string, shards: number, accepting: string, durable: number][] = [
  ['no shards', 0, 'kernel', 1],
  ['two shards', 2, 'kernel', 3],
  ['two shards and an acceptor', 2, 'thread', 4],
]

const workers = `  - name: iii-stream
    config: { port: 0 }`

function start(shards: number, accepting: string): Promise<AttackedEngine> {
  return startAttackedEngine(shards, {}, { workers, accepting })
}

async function call(worker: RawClient, name: string, input: object): Promise<unknown> {
  const answer = await worker.call(`stream::${name}`, input)
  if (answer.error !== undefined) throw new Error(JSON.stringify(answer.error))
  return answer.result
}

/** So many that the kernel gives some to each shard. */
async function connectAll(engine: AttackedEngine, count: number): Promise<Client[]> {
  const clients = await Promise.all(
    Array.from({ length: count }, () => connect(`${engine.addresses().stream}/`)),
  )
  for (const client of clients) client.join('sub', 's', 'g', { withIds: true })
  await Promise.all(clients.map(client => client.has(1)))
  return clients
}

interface Stats {
  readonly subscriptions: number
  readonly gateways: readonly { readonly connections: number; readonly gaps: number }[]
}

describe.each(shapes)('with %s', (_, shards, accepting, durable) => {
  test(
    'every client hears of everything, and of what is there after a restart',
    async () => {
      await using engine = await start(shards, accepting)
      await using worker = await connectRaw(engine.url)
      const clients = await connectAll(engine, 12)
      for (let count = 1; count <= 50; count++) await call(worker, 'set', item('a', { data: count }))
      for (const client of clients) {
        const messages = await client.has(51)
        expect(messages.slice(1).map(({ event }) => event.data)).toEqual(
          Array.from({ length: 50 }, (_, index) => index + 1),
        )
      }
      const stats = (await call(worker, 'stats', {})) as Stats
      expect(stats.subscriptions).toBe(12)
      const expected = shards > 0 && accepting === 'kernel' ? shards : 1
      expect(stats.gateways).toHaveLength(expected)
      await worker.close()
      await engine.restart('SIGKILL')
      for (const client of clients) await client.closed
      await using again = await connectRaw(engine.url)
      const [client] = await connectAll(engine, 1)
      expect(client!.messages[0]!.event.data).toEqual([{ id: 'a', data: 50, version: 50 }])
      // Numbers go on, so that a client may resume.
      const back = await connect(`${engine.addresses().stream}/`)
      back.join('sub', 's', 'g', { since: clients[0]!.messages.at(-3)!.seq })
      await back.has(2)
      await call(again, 'set', item('b', { data: 1 }))
      expect((await back.has(3)).map(({ event }) => event)).toEqual([
        { type: 'update', data: 49 },
        { type: 'update', data: 50 },
        { type: 'create', data: 1 },
      ])
      client!.close()
      back.close()
    },
    PATIENT_MS,
  )

  test(
    'when the durable thread is lost its clients stay, and are told everything anew',
    async () => {
      await using engine = await start(shards, accepting)
      await using worker = await connectRaw(engine.url)
      await call(worker, 'set', item('a', { data: 1 }))
      const clients = await connectAll(engine, 6)
      await engine.attack(durable, 'exit').catch(() => {})
      for (const client of clients) await client.has(2)
      await until('it is there again', () => call(worker, 'set', item('a', { data: 2 })))
      for (const client of clients) {
        await until('it has heard of it', () => client.messages.at(-1)!.event.data === 2)
        expect(client.messages[1]!.event).toEqual({
          type: 'sync',
          data: [{ id: 'a', data: 1, version: 1 }],
        })
        client.close()
      }
      await until(
        'all have left',
        async () => ((await call(worker, 'stats', {})) as Stats).subscriptions === 0,
      )
    },
    PATIENT_MS,
  )
})

test(
  'clients of a shard that is lost have left, each once',
  async () => {
    await using engine = await start(2, 'kernel')
    await using worker = await engine.connectOn(1)
    const left: unknown[] = []
    worker.serve('left', ({ data }) => {
      left.push(data)
      return {}
    })
    worker.send({
      type: 'registertrigger',
      id: 't',
      trigger_type: 'stream:leave',
      function_id: 'left',
      config: {},
    })
    await worker.settled()
    const clients = await connectAll(engine, 16)
    await engine.attack(2, 'exit').catch(() => {})
    const lost = await until('some are lost', async () => {
      const states = clients.filter(({ socket }) => socket.readyState === WebSocket.CLOSED).length
      return states > 0 && states === left.length ? states : undefined
    })
    await until('they are not subscribed any more', async () => {
      const { subscriptions } = (await call(worker, 'stats', {})) as Stats
      return subscriptions === 16 - lost
    })
    expect(left).toHaveLength(lost)
    for (const client of clients) client.close()
  },
  PATIENT_MS,
)
