/** What a client knows is what is there: however it joins, is away, or is slow. */
import { describe, expect, test } from 'bun:test'
import { createRandom, type Random } from '../support/random.ts'
import { until } from '../support/waiting.ts'
import { item, type StreamMessage, type Streams, withStreams } from './support.ts'

type Items = Map<string, unknown>

/** What a client makes of its messages. Complains about a change that does not fit to what it knows. */
function createMirror(items: Items = new Map()) {
  let seq = -1
  let isSynced = items.size > 0
  return {
    items,
    seq: () => seq,
    take({ id, event, seq: number }: StreamMessage): void {
      if (event.type === 'sync') {
        isSynced = true
        items.clear()
        for (const { id, data } of event.data) items.set(id, data)
        expect(number).toBeGreaterThanOrEqual(seq)
        seq = number
        return
      }
      expect(isSynced).toBe(true)
      // Nothing twice, nothing that the sync knows already.
      expect(number).toBeGreaterThan(seq)
      seq = number
      if (event.type === 'create') expect(items.has(id!)).toBe(false)
      if (event.type === 'update') expect(items.has(id!)).toBe(true)
      if (event.type === 'delete') {
        expect(items.get(id!)).toEqual(event.data)
        items.delete(id!)
      } else items.set(id!, event.data)
    },
  }
}

/** Some writes at once, as fast as they go. */
async function storm({ call }: Streams, random: Random, writes: number): Promise<void> {
  const all: Promise<unknown>[] = []
  for (let count = 0; count < writes; count++) {
    const id = `item-${random.between(0, 12)}`
    const kind = random.between(0, 4)
    if (kind === 0) all.push(call('delete', item(id)))
    else if (kind === 1)
      all.push(call('update', item(id, { ops: [{ type: 'increment', path: 'n', by: 1 }] })).catch(() => {}))
    else all.push(call('set', item(id, { data: { n: count } })))
    if (random.between(0, 5) === 0) await Bun.sleep(0)
  }
  await Promise.all(all)
}

async function whatIsThere({ call }: Streams): Promise<Items> {
  const { items } = await call('list', { stream_name: 's', group_id: 'g', with_ids: true })
  return new Map(items.map(({ id, data }: { id: string; data: unknown }) => [id, data]))
}

const last = { stream_name: 's', group_id: 'g', item_id: 'the last', data: true }

describe('a client that joins while everybody writes', () => {
  test('sees every change exactly once after its sync', async () => {
    for (let round = 0; round < 8; round++) {
      const random = createRandom()
      try {
        await withStreams({ gateways: 2 }, async streams => {
          const clients = await Promise.all([0, 1, 0, 1].map(gateway => streams.connect('', gateway)))
          const writing = storm(streams, random, 600)
          for (const [index, client] of clients.entries()) {
            for (let count = random.between(0, 4); count > 0; count--) await Bun.sleep(0)
            client.join(`sub-${index}`, 's', 'g', { withIds: true })
          }
          await writing
          await streams.call('set', last)
          const there = await whatIsThere(streams)
          for (const client of clients) {
            await until('it has heard of the last', () => {
              const { event, id } = client.messages.at(-1) ?? {}
              const isInSync =
                event?.type === 'sync' && (event.data as { id: string }[]).some(({ id }) => id === 'the last')
              return id === 'the last' || isInSync
            })
            const mirror = createMirror()
            for (const message of client.messages) mirror.take(message)
            expect(mirror.items).toEqual(there)
          }
        })
      } catch (error) {
        throw new Error(`with III_TEST_SEED=${random.seed}`, { cause: error })
      }
    }
  })
})

describe('a client that was away', () => {
  test('is told what it has missed, and no sync', () =>
    withStreams({}, async streams => {
      const { call, connect } = streams
      await call('set', item('a', { data: 1 }))
      const client = await connect()
      client.join('sub', 's', 'g', { withIds: true })
      const [sync] = await client.has(1)
      client.close()
      await call('set', item('a', { data: 2 }))
      await call('set', item('x', { group_id: 'other', data: 2 }))
      await call('delete', item('a'))
      const again = await connect()
      again.join('sub', 's', 'g', { since: sync!.seq, echo: true })
      await again.has(2)
      await call('set', item('b', { data: 3 }))
      const messages = await again.has(3)
      expect(messages.map(({ event }) => event)).toEqual([
        { type: 'update', data: 2 },
        { type: 'delete', data: 2 },
        { type: 'create', data: 3 },
      ])
      expect(messages.map(({ subscriptionId }) => subscriptionId)).toEqual(['sub', 'sub', 'sub'])
    }))

  test('gets a sync when what it has missed is not known any more', () =>
    withStreams({}, async ({ call, connect }) => {
      await call('set', item('a', { data: 1 }))
      const client = await connect()
      // From a future that this engine has not had.
      client.join('sub', 's', 'g', { since: 1000 })
      const [first] = await client.has(1)
      expect(first!.event.type).toBe('sync')
    }))
})

test('when the store half comes back, its clients are told everything anew', () =>
  withStreams({}, async streams => {
    const { call, connect } = streams
    await call('set', item('a', { data: 1 }))
    const client = await connect()
    client.join('sub', 's', 'g', { withIds: true })
    await client.has(1)
    await streams.restartStore()
    await client.has(2)
    await call('set', item('a', { data: 2 }))
    const [, again, event] = await client.has(3)
    expect(again!.event).toEqual({ type: 'sync', data: [{ id: 'a', data: 1, version: 1 }] })
    expect(event!.event).toEqual({ type: 'update', data: 2 })
    expect((await call('presence', {})).count).toBe(1)
  }))

test('many clients that join at once are read to once, and none of them gets what is not true any more', () =>
  withStreams({}, async streams => {
    const { call, connect, partition } = streams
    let reads = 0
    const { read } = partition
    Object.assign(partition, {
      read: (query: Parameters<typeof read>[0]) => {
        reads++
        return read(query)
      },
    })
    await call('set', item('a', { data: 1 }))
    const first = await connect()
    const clients = await Promise.all(Array.from({ length: 20 }, () => connect()))
    first.join('sub', 's', 'g')
    await first.has(1)
    for (const client of clients) client.join('sub', 's', 'g')
    for (const client of clients) expect((await client.has(1))[0]!.event.data).toEqual([1])
    expect(reads).toBe(1)
    await call('set', item('a', { data: 2 }))
    const late = await connect()
    late.join('sub', 's', 'g')
    expect((await late.has(1))[0]!.event.data).toEqual([2])
    // While nobody listens, nobody knows what happens.
    for (const client of [first, late, ...clients]) client.close()
    await until('all have left', async () => (await call('presence', {})).count === 0)
    await call('set', item('a', { data: 3 }))
    const last = await connect()
    last.join('sub', 's', 'g')
    expect((await last.has(1))[0]!.event.data).toEqual([3])
    expect(reads).toBe(3)
  }))
