/** An engine in the test's own thread with both halves of the stream worker, a worker of the test, and clients. */
import type { BuiltInClient } from '../../sdk/typescript/src/worker.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { createEngine } from '../../src/engine/engine.ts'
import { createMemoryPartition } from '../../src/storage/mod.ts'
import type { Partition } from '../../src/storage/partition.ts'
import { createThread, createThreadTurn } from '../../src/threads/thread.ts'
import { createPartitionStore } from '../../workers/stream/adapters/partition.ts'
import { streamConfigSchema } from '../../workers/stream/config.ts'
import { createStreamGateway } from '../../workers/stream/gateway/worker.ts'
import { createStreamWorker } from '../../workers/stream/worker.ts'
import { createRecordingLog, type RecordingLog } from '../support/fakes.ts'
import { until, within } from '../support/waiting.ts'

export interface StreamMessage {
  readonly type: 'stream'
  readonly timestamp: number
  readonly streamName: string
  readonly groupId: string
  readonly id: string | null
  readonly event: {
    readonly type: string
    // biome-ignore lint/suspicious/noExplicitAny: whatever was stored
    readonly data?: any
    // biome-ignore lint/suspicious/noExplicitAny: whatever was sent
    readonly event?: any
    readonly count?: number
    readonly reason?: string
  }
  readonly seq: number
  readonly subscriptionId?: string
}

export interface Client {
  readonly socket: WebSocket
  /** Everything it was sent. */
  readonly messages: StreamMessage[]
  /** The texts of it. */
  readonly texts: string[]
  join(subscriptionId: string, streamName: string, groupId: string, more?: object): void
  leave(subscriptionId: string): void
  /** Resolves with the messages when there are so many. */
  has(count: number): Promise<StreamMessage[]>
  /** Resolves when it is closed: with the code. */
  readonly closed: Promise<number>
  close(): void
}

export async function connect(url: string, headers: Record<string, string> = {}): Promise<Client> {
  const socket = new WebSocket(url, { headers } as unknown as string)
  const messages: StreamMessage[] = []
  const texts: string[] = []
  socket.onmessage = ({ data }) => {
    texts.push(String(data))
    messages.push(JSON.parse(String(data)) as StreamMessage)
  }
  const closed = new Promise<number>(resolve => {
    socket.onclose = ({ code }) => resolve(code)
  })
  await within(
    'the client connects',
    new Promise((resolve, reject) => {
      socket.onopen = resolve
      socket.onerror = () => reject(new Error('the client cannot connect'))
    }),
  )
  const say = (type: string, data: object): void => socket.send(JSON.stringify({ type, data }))
  return {
    socket,
    messages,
    texts,
    closed,
    join: (subscriptionId, streamName, groupId, more = {}) =>
      say('join', { subscriptionId, streamName, groupId, ...more }),
    leave: subscriptionId => say('leave', { subscriptionId, streamName: '', groupId: '' }),
    async has(count) {
      await until(`${count} messages, there are ${messages.length}`, () => messages.length >= count)
      return messages
    },
    close: () => socket.close(),
  }
}

export interface Streams extends AsyncDisposable {
  /** Where clients connect: one for each gateway. */
  readonly urls: readonly string[]
  readonly url: string
  readonly partition: Partition
  readonly log: RecordingLog
  /** The worker of the test. */
  readonly worker: BuiltInClient
  /** Calls a function of the stream worker: `set`, `get`, … */
  // biome-ignore lint/suspicious/noExplicitAny: whatever it returns
  call(name: string, input: object): Promise<any>
  connect(query?: string, gateway?: number): Promise<Client>
  /** Whether the provider of its type did not take a trigger. */
  wasRefused(triggerId: string): boolean
  /** Ends the store half and starts it again. */
  restartStore(): Promise<void>
}

export interface StreamOptions {
  readonly config?: object
  readonly gateways?: number
  readonly insecure?: boolean
}

async function startStreams({
  config = {},
  gateways = 1,
  insecure = false,
}: StreamOptions): Promise<Streams> {
  const log = createRecordingLog()
  const turn = createThreadTurn(log)
  const engine = createEngine({ clock: systemClock, log, randomId: () => crypto.randomUUID() })
  const thread = createThread(engine, turn, log)
  const wallClock = (): number => Date.now()
  const partition = createMemoryPartition({ clock: systemClock, log, wallClock }, 0)
  const settings = streamConfigSchema.parse({ port: 0, ...config })
  const hasFunction = (id: string): boolean => engine.state.routes.find(undefined, id) !== undefined
  const placeStore = (name: string) =>
    thread.place(
      createStreamWorker(settings, {
        store: createPartitionStore(partition),
        clock: systemClock,
        wallClock,
        log,
        newId: () => crypto.randomUUID(),
        hasFunction,
      }),
      name,
    )
  await placeStore('iii-stream')
  const urls: string[] = []
  for (let count = 1; count <= gateways; count++) {
    const gateway = createStreamGateway(settings, {
      clock: systemClock,
      log,
      newId: () => crypto.randomUUID(),
      reusePort: false,
      insecure,
    })
    const { addresses } = await thread.place(gateway, `iii-stream:clients#${count}`)
    urls.push(addresses.stream!)
  }
  let worker: BuiltInClient | undefined
  await thread.place(
    {
      name: 'test',
      description: '',
      async start(client) {
        worker = client
        await client.ready()
        return { addresses: {}, drain: async () => {}, stop: async () => {} }
      },
    },
    'test',
  )
  const clients: Client[] = []
  return {
    urls,
    url: urls[0]!,
    partition,
    log,
    worker: worker!,
    call: (name, input) => worker!.trigger({ function_id: `stream::${name}`, payload: input }),
    async connect(query = '', gateway = 0) {
      const client = await connect(`${urls[gateway]}/${query}`)
      clients.push(client)
      return client
    },
    wasRefused: id => !engine.state.directory.triggers.bindings.has(id),
    async restartStore() {
      const route = engine.state.routes.find(undefined, 'stream::set')!
      engine.state.teardown(engine.state.connections.get(route.workerId)!, 'the test ends it')
      await placeStore('iii-stream')
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.close()
      await thread.stop()
      await partition.close()
    },
  }
}

/** Runs a test with everything that it needs, and ends that. */
export async function withStreams(
  options: StreamOptions,
  test: (streams: Streams) => Promise<void>,
): Promise<void> {
  await using streams = await startStreams(options)
  await test(streams)
}

export { startStreams }

export const item = (id: string, more: object = {}): object => ({
  stream_name: 's',
  group_id: 'g',
  item_id: id,
  ...more,
})
