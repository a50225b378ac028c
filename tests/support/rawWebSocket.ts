/**
 * A WebSocket client over a bare TCP socket. It sends what a well-behaved client would not, and shows every frame of
 * the answer: opcode, fragments, close status.
 */
import { connect, type Socket } from 'node:net'

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export type Opcode = (typeof opcodes)[keyof typeof opcodes]

export interface RawFrame {
  readonly final: boolean
  readonly compressed: boolean
  readonly opcode: number
  readonly payload: Buffer
}

/** One frame as a client writes it. Masked with zeros, which is legal and leaves the payload readable. */
export function clientFrame(opcode: Opcode, payload: string | Uint8Array, final = true): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload) : payload
  const size = body.length
  const head = Buffer.alloc(size < 126 ? 6 : size < 65_536 ? 8 : 14)
  head[0] = (final ? 0x80 : 0) | opcode
  if (size < 126) head[1] = 0x80 | size
  else if (size < 65_536) {
    head[1] = 0x80 | 126
    head.writeUInt16BE(size, 2)
  } else {
    head[1] = 0x80 | 127
    head.writeBigUInt64BE(BigInt(size), 2)
  }
  return Buffer.concat([head, body])
}

/** Takes a byte stream apart into frames. Keeps chunks as they are until a frame is complete: linear in its size. */
function createFrameReader(found: (frame: RawFrame) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = []
  let size = 0
  let needed = 2

  function joined(): Buffer {
    if (chunks.length !== 1) chunks = [Buffer.concat(chunks)]
    return chunks[0]!
  }

  /** Bytes of the first frame, or as many as it takes to say. */
  function frameLength(bytes: Buffer): { head: number; total: number } {
    const short = bytes[1]! & 127
    if (short < 126) return { head: 2, total: 2 + short }
    const head = short === 126 ? 4 : 10
    if (bytes.length < head) return { head, total: head }
    const length = short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
    return { head, total: head + length }
  }

  return chunk => {
    chunks.push(chunk)
    size += chunk.length
    while (size >= needed) {
      const bytes = joined()
      const { head, total } = frameLength(bytes)
      if (size < total || size < head) {
        needed = Math.max(total, head)
        continue
      }
      const payload = bytes.subarray(head, total)
      chunks = [bytes.subarray(total)]
      size -= total
      needed = 2
      const first = bytes[0]!
      found({ final: (first & 0x80) !== 0, compressed: (first & 0x40) !== 0, opcode: first & 15, payload })
    }
  }
}

/** The bytes of an upgrade request; `headers` replaces or adds, `undefined` removes. */
export function upgradeRequest(target: string, headers: Record<string, string | undefined> = {}): string {
  const all: Record<string, string | undefined> = {
    Host: '127.0.0.1',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  }
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  )
  return `GET ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
}

export interface ResponseHead {
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
}

function parseHead(text: string): ResponseHead {
  const [statusLine = '', ...lines] = text.split('\r\n')
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim())
  }
  return { status: Number(statusLine.split(' ')[1]), headers }
}

/** A list that can be waited for. */
export interface Inbox<Item> {
  push(item: Item): void
  /** The next one; rejects when there will be none. */
  next(): Promise<Item>
  /** What has come and was not taken. */
  takeAll(): Item[]
  end(reason: string): void
}

export function createInbox<Item>(): Inbox<Item> {
  let items: Item[] = []
  let waiters: { resolve: (item: Item) => void; reject: (error: Error) => void }[] = []
  let ended: string | undefined
  return {
    push(item) {
      const waiter = waiters.shift()
      if (waiter === undefined) items.push(item)
      else waiter.resolve(item)
    },
    next() {
      if (items.length > 0) return Promise.resolve(items.shift()!)
      if (ended !== undefined) return Promise.reject(new Error(ended))
      const { promise, resolve, reject } = Promise.withResolvers<Item>()
      waiters.push({ resolve, reject })
      return promise
    },
    takeAll() {
      const taken = items
      items = []
      return taken
    },
    end(reason) {
      ended = reason
      for (const waiter of waiters) waiter.reject(new Error(reason))
      waiters = []
    },
  }
}

/** Connects to a port of this machine and sends some bytes. */
export async function dialTcp(port: number, bytes: string | Uint8Array = ''): Promise<Socket> {
  const tcp = connect({ port, host: '127.0.0.1' })
  // A lost connection is seen by its `close`.
  tcp.on('error', () => {})
  await new Promise<void>((resolve, reject) => {
    tcp.once('connect', resolve)
    tcp.once('close', () => reject(new Error('the connection was refused')))
  })
  if (bytes.length > 0) tcp.write(bytes)
  return tcp
}

/** Sends a request and gives the whole answer. */
export async function rawRequest(port: number, request: string): Promise<ResponseHead & { body: string }> {
  const tcp = await dialTcp(port, request)
  let text = ''
  return new Promise((resolve, reject) => {
    tcp.on('data', chunk => {
      text += chunk.toString('latin1')
      const end = text.indexOf('\r\n\r\n')
      if (end < 0) return
      const head = parseHead(text.slice(0, end))
      const body = text.slice(end + 4)
      if (body.length < Number(head.headers.get('content-length') ?? 0)) return
      tcp.destroy()
      resolve({ ...head, body })
    })
    tcp.on('close', () => reject(new Error(`closed without a complete answer: ${JSON.stringify(text)}`)))
  })
}

export interface RawWebSocket {
  readonly tcp: Socket
  readonly head: ResponseHead
  /** Frames that have come. */
  readonly frames: Inbox<RawFrame>
  /** From now on every frame goes here, those that have come first. */
  listen(receive: (frame: RawFrame) => void): void
  send(opcode: Opcode, payload: string | Uint8Array, final?: boolean): void
  /** Sends one text message; an object is written as JSON. */
  text(message: string | object): void
  /** The next text message as an object; other frames are passed over. */
  nextMessage(): Promise<Record<string, unknown>>
  /** Resolves when the TCP connection is over. */
  readonly over: Promise<void>
  destroy(): void
}

/** Connects and upgrades; rejects when the answer is not 101. */
export async function openRaw(
  port: number,
  target = '/',
  headers: Record<string, string | undefined> = {},
): Promise<RawWebSocket> {
  const tcp = await dialTcp(port, upgradeRequest(target, headers))
  const frames = createInbox<RawFrame>()
  let receive = (frame: RawFrame): void => frames.push(frame)
  const read = createFrameReader(frame => receive(frame))
  const over = new Promise<void>(resolve => {
    tcp.once('close', () => {
      frames.end('the connection is over')
      resolve()
    })
  })
  const head = await new Promise<ResponseHead>((resolve, reject) => {
    let text = ''
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1')
      const end = text.indexOf('\r\n\r\n')
      if (end < 0) return
      tcp.off('data', onData)
      tcp.on('data', read)
      const answer = parseHead(text.slice(0, end))
      if (answer.status === 101) resolve(answer)
      else reject(new Error(`the answer is ${answer.status}`))
      if (text.length > end + 4) read(Buffer.from(text.slice(end + 4), 'latin1'))
    }
    tcp.on('data', onData)
    void over.then(() => reject(new Error('closed before the answer')))
  })
  return {
    tcp,
    head,
    frames,
    listen(next) {
      receive = next
      for (const frame of frames.takeAll()) next(frame)
    },
    send: (opcode, payload, final) => void tcp.write(clientFrame(opcode, payload, final)),
    text: message => {
      const text = typeof message === 'string' ? message : JSON.stringify(message)
      tcp.write(clientFrame(opcodes.text, text))
    },
    async nextMessage() {
      for (;;) {
        const frame = await frames.next()
        if (frame.opcode === opcodes.text)
          return JSON.parse(frame.payload.toString()) as Record<string, unknown>
      }
    },
    over,
    destroy: () => void tcp.destroy(),
  }
}
