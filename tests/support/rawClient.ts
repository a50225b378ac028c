/**
 * A worker without an SDK: sends and sees frames of the JSON protocol as they are on the wire.
 *
 *     await using raw = await connectRaw(engine.url, { name: 'watcher' })
 *     raw.send({ type: 'registerfunction', id: 'a::b' })
 *     const call = await raw.expect({ type: 'invokefunction', function_id: 'a::b' })
 */
import { createMailbox, type Wanted } from './mailbox.ts'
import { PATIENCE_MS, within } from './waiting.ts'

export interface WireFrame {
  readonly type: string
  readonly [field: string]: unknown
}

export interface Outcome {
  result?: unknown
  error?: { code: string; message: string; stacktrace?: string }
}

export interface CallOptions {
  namespace?: string
  metadata?: unknown
  withinMs?: number
}

export interface RawClient extends AsyncDisposable {
  /** What the engine said in `workerregistered`. */
  readonly workerId: string
  readonly reattachToken: string
  send(frame: object): void
  sendText(text: string): void
  /** Takes the first frame that is wanted out of what has arrived and nobody took; waits for it if need be. */
  expect(wanted: Wanted<WireFrame>, withinMs?: number): Promise<WireFrame>
  /** Frames that nobody took. */
  waiting(): readonly WireFrame[]
  /** The exact text a frame came in. */
  textOf(frame: WireFrame): string
  /** Calls a function and waits for the answer, which may be an error. */
  call(functionId: string, data?: unknown, options?: CallOptions): Promise<Outcome>
  /** The same with payload and answer as text. */
  callText(functionId: string, data: string): Promise<string>
  /** Registers a function that answers every call with what `handler` returns for its frame. */
  serve(id: string, handler: (call: WireFrame) => Outcome): void
  /** Answers an `invokefunction` frame. */
  answer(call: WireFrame, outcome: Outcome): void
  /** Resolves when everything sent so far has been handled by the engine. */
  settled(): Promise<void>
  readonly closed: Promise<{ code: number; reason: string }>
  /** Ends with a close frame, or (`cut`) without one. */
  close(how?: 'orderly' | 'cut'): Promise<void>
}

export interface RawOptions {
  /** Announced name; `false`: no announce. Default: a name of its own. */
  name?: string | false
  /** Announced version, which decides about duplicates. Default 0.23.0. */
  version?: string
  namespace?: string
  /** Sent before the announce. */
  reattach?: { workerId: string; reattachToken: string }
}

export async function connectRaw(url: string, options: RawOptions = {}): Promise<RawClient> {
  // Bun's sockets can also end without a close frame.
  const socket = new WebSocket(url) as WebSocket & { terminate(): void }
  const frames = createMailbox<WireFrame>(`raw client ${String(options.name ?? '')}`)
  const texts = new WeakMap<WireFrame, string>()
  const handlers = new Map<string, (call: WireFrame) => Outcome>()
  const closed = Promise.withResolvers<{ code: number; reason: string }>()

  const send = (frame: object): void => socket.send(JSON.stringify(frame))
  const answer = (call: WireFrame, outcome: Outcome): void =>
    send({
      type: 'invocationresult',
      invocation_id: call.invocation_id,
      function_id: call.function_id,
      ...outcome,
    })

  socket.onmessage = ({ data }) => {
    const text = String(data)
    const frame = JSON.parse(text) as WireFrame
    const handler = frame.type === 'invokefunction' ? handlers.get(String(frame.function_id)) : undefined
    if (handler !== undefined) {
      answer(frame, handler(frame))
      return
    }
    texts.set(frame, text)
    frames.put(frame)
  }
  socket.onclose = ({ code, reason }) => {
    closed.resolve({ code, reason })
    frames.close(new Error(`the connection is closed (${code} ${reason})`))
  }

  const registered = await frames.take({ type: 'workerregistered' })
  const { workerId, reattachToken } = {
    workerId: String(registered.worker_id),
    reattachToken: String(registered.reattach_token),
  }
  if (options.reattach !== undefined) {
    const { workerId: previous, reattachToken: token } = options.reattach
    send({ type: 'reattach', previous_worker_id: previous, reattach_token: token })
  }
  if (options.name !== false) {
    const { name = `raw-${workerId}`, version = '0.23.0', namespace } = options
    send({
      type: 'invokefunction',
      function_id: 'engine::workers::register',
      action: { type: 'void' },
      data: { runtime: 'raw', version, name, pid: process.pid, namespace },
    })
  }

  async function callFrame(body: object, withinMs = PATIENCE_MS): Promise<WireFrame> {
    const invocationId = crypto.randomUUID()
    send({ type: 'invokefunction', invocation_id: invocationId, ...body })
    return await frames.take({ type: 'invocationresult', invocation_id: invocationId }, withinMs)
  }

  return {
    workerId,
    reattachToken,
    send,
    sendText: text => socket.send(text),
    expect: frames.take,
    waiting: frames.waiting,
    textOf: frame => texts.get(frame)!,
    async call(functionId, data = {}, { namespace, metadata, withinMs } = {}) {
      const frame = await callFrame({ function_id: functionId, data, namespace, metadata }, withinMs)
      return {
        ...('result' in frame ? { result: frame.result } : {}),
        ...('error' in frame ? { error: frame.error as NonNullable<Outcome['error']> } : {}),
      }
    },
    async callText(functionId, data) {
      const invocationId = crypto.randomUUID()
      const id = JSON.stringify(functionId)
      socket.send(
        `{"type":"invokefunction","invocation_id":"${invocationId}","function_id":${id},"data":${data}}`,
      )
      return texts.get(await frames.take({ type: 'invocationresult', invocation_id: invocationId }))!
    },
    serve(id, handler) {
      handlers.set(id, handler)
      send({ type: 'registerfunction', id })
    },
    answer,
    async settled() {
      // The frames of one connection are handled in order, so an answer says that what went before is done.
      await callFrame({ function_id: 'engine::workers::list', data: {} })
    },
    closed: closed.promise,
    async close(how = 'orderly') {
      if (how === 'orderly') socket.close()
      else socket.terminate()
      await within('the raw client closes', closed.promise)
    },
    async [Symbol.asyncDispose]() {
      socket.terminate()
      await within('the raw client closes', closed.promise)
    },
  }
}
