import { describe, expect, test } from 'bun:test'
import net from 'node:net'
import { streamConfigSchema } from '../../workers/stream/config.ts'
import { until } from '../support/waiting.ts'
import { connect, item, type Streams, startStreams, withStreams } from './support.ts'

/** The status of an upgrade, by hand: the client of the runtime does not tell it. */
function statusOf(url: string, path = '/', headers: Record<string, string> = {}): Promise<number> {
  const { port } = new URL(url)
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const lines = {
    host: 'x',
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  }
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`)
  const socket = net.connect(Number(port), '127.0.0.1', () =>
    socket.write(`GET ${path} HTTP/1.1\r\n${head.join('')}\r\n`),
  )
  socket.once('data', data => {
    resolve(Number(data.toString('latin1').split(' ')[1]))
    socket.destroy()
  })
  socket.once('error', reject)
  return promise
}

describe('who may connect', () => {
  test('only / is there', () =>
    withStreams({}, async ({ url }) => {
      expect(await statusOf(url)).toBe(101)
      expect(await statusOf(url, '/?x=1')).toBe(101)
      expect(await statusOf(url, '/stream/s/g')).toBe(404)
      expect((await fetch(url.replace('ws:', 'http:'))).status).toBe(400)
    }))

  test('pages of this machine and those that are listed', async () => {
    const allowed_origins = ['https://app.example.com']
    await withStreams({ config: { allowed_origins } }, async ({ url }) => {
      const from = (origin: string) => statusOf(url, '/', { origin })
      expect(await from('https://evil.example.com')).toBe(403)
      expect(await from('https://app.example.com')).toBe(101)
      expect(await from('http://localhost:3000')).toBe(101)
    })
    await withStreams({ config: { allowed_origins: ['*'] } }, async ({ url }) => {
      expect(await statusOf(url, '/', { origin: 'https://evil.example.com' })).toBe(101)
    })
  })

  test('the auth function decides, and what it says is the context of handlers', () =>
    withStreams({ config: { auth_function: 'auth' } }, async streams => {
      const { worker, url, call } = streams
      let asked: unknown
      worker.registerFunction<{ query_params: Record<string, string[]> }>('auth', input => {
        asked = input
        const [token] = input.query_params.token ?? []
        if (token === undefined) throw new Error('no token')
        return token === 'right' ? { context: { user: 'u1' } } : { unauthorized: true }
      })
      const joined: unknown[] = []
      worker.registerFunction('joined', input => {
        joined.push(input)
        return {}
      })
      worker.registerTrigger({ type: 'stream:join', function_id: 'joined', config: {} })
      await call('presence', {})
      expect(await statusOf(url)).toBe(401)
      expect(await statusOf(url, '/?token=wrong')).toBe(403)
      const client = await connect(`${url}/?token=right&x=%20&x=`, { 'x-mine': 'a' })
      expect(asked).toEqual({
        headers: expect.objectContaining({ 'x-mine': 'a' }),
        path: '/',
        query_params: { token: ['right'], x: ['%20', ''] },
        addr: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      })
      client.join('sub', 's', 'g')
      await client.has(1)
      expect(joined).toEqual([
        { subscription_id: 'sub', stream_name: 's', group_id: 'g', id: null, context: { user: 'u1' } },
      ])
      client.close()
    }))

  test('an auth function that is not there refuses, unless it is said that it does not', async () => {
    await withStreams({ config: { auth_function: 'auth' } }, async ({ url }) => {
      expect(await statusOf(url)).toBe(401)
    })
    const config = { auth_function: 'auth', auth_fail_closed: false }
    await withStreams({ config }, async ({ connect }) => {
      const client = await connect()
      client.join('sub', 's', 'g')
      expect((await client.has(1))[0]!.event.type).toBe('sync')
    })
  })

  test('beyond this machine nobody, without an auth function', async () => {
    const config = { host: '0.0.0.0' }
    expect(startStreams({ config })).rejects.toMatchObject({
      code: 'insecure_bind',
      fix: expect.stringContaining('set its `auth_function`'),
    })
    await withStreams({ config, insecure: true }, async ({ call }) => void (await call('list_all', {})))
    const known = { host: '0.0.0.0', auth_function: 'auth' }
    await withStreams({ config: known }, async ({ call }) => void (await call('list_all', {})))
  })

  test('so many as there may be', () =>
    withStreams({ config: { connection_limit: 2 } }, async ({ url, connect }) => {
      await connect()
      const second = await connect()
      expect(await statusOf(url)).toBe(503)
      second.close()
      await until('there is room again', async () => (await statusOf(url)) === 101)
    }))
})

describe('what a client says', () => {
  test('may be binary', () =>
    withStreams({}, async ({ connect }) => {
      const client = await connect()
      const join = { type: 'join', data: { subscriptionId: 'sub', streamName: 's', groupId: 'g' } }
      client.socket.send(new TextEncoder().encode(JSON.stringify(join)))
      expect((await client.has(1))[0]!.event.type).toBe('sync')
    }))

  test('and cannot be read is ignored and counted', () =>
    withStreams({}, async ({ connect, log }) => {
      const client = await connect()
      const garbage = [
        'x',
        '[]',
        'null',
        '{"type":"join"}',
        '{"type":"jump","data":{}}',
        '{"type":"join","data":{"subscriptionId":1,"streamName":"s","groupId":"g"}}',
        '{"type":"join","data":{"subscriptionId":"1","streamName":"s"}}',
        '{"type":"join","data":{"subscriptionId":"1","streamName":"s","groupId":"g","since":-1}}',
        `{"type":"join","data":{"subscriptionId":"${'x'.repeat(20_000)}","streamName":"s","groupId":"g"}}`,
        '['.repeat(50_000),
      ]
      for (const each of garbage) client.socket.send(each)
      client.socket.send(new Uint8Array([0xff, 0xfe]))
      client.join('sub', 's', 'g')
      expect(await client.has(1)).toHaveLength(1)
      expect(log.lines.filter(({ message }) => message.includes('was ignored')).length).toBeGreaterThan(3)
    }))

  test('and is too large ends its connection, and no other', () =>
    withStreams({}, async ({ connect }) => {
      const [client, other] = [await connect(), await connect()]
      client.socket.send('x'.repeat(70_000))
      expect([1006, 1009]).toContain(await client.closed)
      other.join('sub', 's', 'g')
      await other.has(1)
    }))

  test(
    'a hundred thousand times is bounded: by its subscriptions, and it is not read for a moment',
    () =>
      withStreams({ config: { subscription_limit: 100, messages_per_second: 1_000_000 } }, async streams => {
        const client = await streams.connect()
        const other = await streams.connect()
        for (let count = 0; count < 100_000; count++) client.join(`sub-${count}`, 's', `g-${count}`)
        await until('all were read', async () => (await counter(streams, 'turnedAway')) === 99_900)
        const refused = client.messages.filter(({ event }) => event.type === 'unauthorized')
        expect(refused[0]!.event.reason).toContain('100 subscriptions')
        expect((await streams.call('presence', {})).count).toBe(100)
        other.join('sub', 's', 'g')
        await other.has(1)
      }),
    30_000,
  )

  test('too often makes it wait', () =>
    withStreams({ config: { messages_per_second: 10 } }, async streams => {
      const client = await streams.connect()
      const neighbour = await streams.connect()
      for (let count = 0; count < 6000; count++) client.join('sub', 's', 'g')
      neighbour.join('sub', 's', 'g')
      await neighbour.has(1)
      await until('it is not read for a moment', async () => (await counter(streams, 'paused')) > 0)
    }))
})

async function counter({ call }: Streams, name: string): Promise<number> {
  const { gateways } = await call('stats', {})
  return gateways.reduce((sum: number, each: Record<string, number>) => sum + (each[name] ?? 0), 0)
}

/** A client that does not read before it is told to. */
async function connectDeaf(url: string, join: object): Promise<net.Socket> {
  const { port } = new URL(url)
  const { promise, resolve } = Promise.withResolvers<void>()
  const socket = net.connect(Number(port), '127.0.0.1', () =>
    socket.write(
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    ),
  )
  socket.once('data', () => {
    socket.pause()
    resolve()
  })
  await promise
  const text = Buffer.from(JSON.stringify({ type: 'join', data: join }))
  const mask = Buffer.from([0, 0, 0, 0])
  const length = text.length < 126 ? [0x80 | text.length] : [0x80 | 126, text.length >> 8, text.length & 255]
  socket.write(Buffer.concat([Buffer.from([0x81, ...length]), mask, text]))
  return socket
}

/** The texts of the frames that a client has read. */
function readFrames(socket: net.Socket): string[] {
  const texts: string[] = []
  let rest = Buffer.alloc(0)
  socket.on('data', (data: Buffer) => {
    rest = Buffer.concat([rest, data])
    for (;;) {
      if (rest.length < 2) return
      const short = rest[1]! & 127
      const head = short === 126 ? 4 : short === 127 ? 10 : 2
      if (rest.length < head) return
      const length =
        short === 126 ? rest.readUInt16BE(2) : short === 127 ? Number(rest.readBigUInt64BE(2)) : short
      if (rest.length < head + length) return
      if ((rest[0]! & 15) === 1) texts.push(rest.subarray(head, head + length).toString())
      rest = rest.subarray(head + length)
    }
  })
  socket.resume()
  return texts
}

describe('a slow client', () => {
  const large = 'x'.repeat(20_000)
  const join = { subscriptionId: 'sub', streamName: 's', groupId: 'g', withIds: true }

  /** Writes until the client is slow, while another reads everything. */
  async function makeSlow(streams: Streams): Promise<number> {
    const other = await streams.connect()
    other.join('sub', 's', 'g')
    await other.has(1)
    await until('both are there', async () => (await streams.call('presence', {})).count === 2)
    let written = 0
    while ((await counter(streams, 'slow')) === 0) {
      for (let count = 0; count < 20; count++) {
        await streams.call('set', item(`item-${written % 10}`, { data: { n: written, large } }))
        written++
      }
      await other.has(written + 1)
    }
    // Nobody else has missed anything.
    await streams.call('set', item('the last', { data: 1 }))
    await other.has(written + 2)
    return written
  }

  test('gets everything anew when it reads again, and delays nobody', () =>
    withStreams({ config: { slow_client_bytes: 100_000 } }, async streams => {
      const socket = await connectDeaf(streams.url, join)
      await makeSlow(streams)
      const texts = readFrames(socket)
      await until('it gets everything anew', () => texts.filter(text => text.includes('"sync"')).length === 2)
      const { event } = JSON.parse(texts.at(-1)!)
      expect(event.data.map(({ id }: { id: string }) => id)).toContain('the last')
      const before = texts.length
      await streams.call('set', item('more', { data: 1 }))
      await until('it hears of more', () => texts.length === before + 1)
      socket.destroy()
    }))

  test('is told how many it has missed, if that is wanted', () =>
    withStreams({ config: { slow_client_bytes: 100_000, slow_client: 'drop' } }, async streams => {
      const socket = await connectDeaf(streams.url, join)
      const written = await makeSlow(streams)
      const texts = readFrames(socket)
      const lost = await until('it is told', () => texts.find(text => text.includes('"lost"')))
      const { event } = JSON.parse(lost)
      expect(event.count + texts.length - 2).toBe(written + 1)
      expect(texts.filter(text => text.includes('"sync"'))).toHaveLength(1)
      socket.destroy()
    }))

  test('is cut, if that is wanted', () =>
    withStreams({ config: { slow_client_bytes: 100_000, slow_client: 'close' } }, async streams => {
      const socket = await connectDeaf(streams.url, join)
      await makeSlow(streams)
      await until('it has left', async () => (await streams.call('presence', {})).count === 1)
      expect(await counter(streams, 'cut')).toBe(1)
      socket.destroy()
    }))
})

describe('presence', () => {
  test('says who is subscribed, by pages', () =>
    withStreams({ gateways: 2 }, async streams => {
      const clients = [await streams.connect('', 0), await streams.connect('', 1)]
      for (const client of clients) {
        client.join('1', 's', 'g')
        client.join('2', 's', 'other', { id: 'a' })
      }
      await Promise.all(clients.map(client => client.has(2)))
      const all = await streams.call('presence', { stream_name: 's' })
      expect(all.count).toBe(4)
      expect(all.subscriptions[1]).toEqual({
        subscription_id: '2',
        stream_name: 's',
        group_id: 'other',
        id: 'a',
        context: null,
        connection_id: expect.any(String),
        joined_at: expect.any(Number),
      })
      expect((await streams.call('presence', { stream_name: 's', group_id: 'g' })).count).toBe(2)
      const first = await streams.call('presence', { limit: 3 })
      const second = await streams.call('presence', { limit: 3, cursor: first.cursor })
      expect([...first.subscriptions, ...second.subscriptions]).toEqual(all.subscriptions)
    }))
})

describe('the settings', () => {
  test('name adapters that come later', () => {
    for (const name of ['redis', 'bridge']) {
      const { error } = streamConfigSchema.safeParse({ adapter: { name } })
      expect(error?.issues[0]?.message).toContain('comes with a later version')
    }
    expect(streamConfigSchema.parse({})).toMatchObject({
      port: 3112,
      host: '127.0.0.1',
      auth_fail_closed: true,
      adapter: { name: 'kv', config: { store_method: 'file_based' } },
    })
  })
})
