/** A running http worker whose functions are in the test itself, and a raw socket to speak to it. */
import net from 'node:net'
import {
  type BuiltInClient,
  RawJson,
  type TextCall,
  type TriggerProvider,
  type WorkerClient,
} from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { type Log, type LogFields, silentLog } from '../../src/log/log.ts'
import type { ErrorBody } from '../../src/protocol/frames.ts'
import { asJsonText, fromJsonText, type JsonText, toJsonText } from '../../src/protocol/jsonText.ts'
import { httpConfigSchema } from '../../workers/http/config.ts'
import type { Destination } from '../../workers/http/exchange.ts'
import { createHandler } from '../../workers/http/handle.ts'
import { parsePattern } from '../../workers/http/pattern.ts'
import { preparePayload } from '../../workers/http/payload.ts'
import { createRouteTable } from '../../workers/http/routes.ts'
import { createHttpWorker } from '../../workers/http/worker.ts'

/** What a function gets of a request, as far as the tests look at it. */
export interface Payload {
  path_params: Record<string, string>
  raw_path_params: Record<string, string>
  query_params: Record<string, string>
  query_multi: Record<string, string[]>
  headers: Record<string, string>
  headers_multi: Record<string, string[]>
  path: string
  method: string
  body: unknown
  trigger: { type: string; path: string; method: string }
  requested_path: string
  url: string
  raw_query: string
}

/** One call the worker made. */
export interface Call extends TextCall {
  readonly payload: Payload
  cancelled: boolean
  succeed(result: unknown): void
  fail(error: ErrorBody): void
}

/** Returns the answer; `undefined` = nothing; throws an `ErrorBody`; `PENDING` = the test answers later. */
export type Fake = (payload: Payload, call: Call) => unknown

export const PENDING = Symbol('pending')

/** What a function gives that does not answer: after `ms` the engine says so in its place. */
export const silentFor =
  (ms: number): Fake =>
  (_, call) => {
    const due = systemClock.now() + ms
    const error = { code: 'invocation_timeout', message: `No answer within ${ms} ms` }
    void eventually(() => systemClock.now() >= due).then(() => call.fail(error))
    return PENDING
  }

export interface Line {
  level: keyof Log
  message: string
  fields: LogFields
}

export interface TestHttp {
  readonly address: string
  readonly calls: Call[]
  readonly log: Line[]
  /** Binds a trigger; throws what the provider throws. */
  bind(config: unknown, fake?: Fake, options?: BindOptions): string
  /** What the last bind said about what it will not do. */
  remarks(): unknown
  unbind(id: string): void
  /** Resolves with the call when `count` calls have been made. */
  called(count?: number): Promise<Call>
  fetch(path: string, init?: RequestInit): Promise<Response>
  drain(): Promise<void>
  stop(): Promise<void>
}

export interface BindOptions {
  id?: string
  functionId?: string
  metadata?: unknown
  namespace?: string
}

export function textOf(result: unknown): JsonText | undefined {
  if (result === undefined) return undefined
  return result instanceof RawJson ? result.text : toJsonText(result)
}

interface FakeClient {
  readonly client: Pick<WorkerClient, 'call'>
  readonly calls: Call[]
  /** What the functions do, by id. A function that is not here returns nothing. */
  readonly fakes: Map<string, Fake>
  /** Resolves with the call when `count` calls have been made. */
  called(count?: number): Promise<Call>
}

function createFakeClient(): FakeClient {
  const calls: Call[] = []
  const fakes = new Map<string, Fake>()
  const waiters: { count: number; resolve: (call: Call) => void }[] = []

  function call(request: TextCall, answer: (error?: ErrorBody, result?: JsonText) => void): () => void {
    const made: Call = {
      ...request,
      payload: fromJsonText(request.data) as Payload,
      cancelled: false,
      succeed: result => answer(undefined, textOf(result)),
      fail: error => answer(error, undefined),
    }
    calls.push(made)
    for (const waiter of waiters) if (waiter.count === calls.length) waiter.resolve(made)
    queueMicrotask(() => {
      try {
        const result = fakes.get(request.functionId)?.(made.payload, made)
        if (result !== PENDING) made.succeed(result)
      } catch (error) {
        made.fail(error as ErrorBody)
      }
    })
    return () => {
      made.cancelled = true
    }
  }

  return {
    client: { call },
    calls,
    fakes,
    called(count = 1) {
      const made = calls[count - 1]
      return made ? Promise.resolve(made) : new Promise(resolve => waiters.push({ count, resolve }))
    },
  }
}

/** A handler without a socket, with one route, `/:n`, whose function answers when the test says so. */
export function createBareHandler(config: object, call?: WorkerClient['call']) {
  const { client, calls, fakes } = createFakeClient()
  const routes = createRouteTable<Destination>()
  const pattern = '/:n'
  const parsed = parsePattern(pattern)
  if (!parsed.ok) throw new Error(parsed.problem)
  const shape = { method: 'GET' as const, pattern, segments: parsed.segments }
  const target = {
    functionId: 'f',
    namespace: undefined,
    metadata: undefined,
    conditionFunctionId: undefined,
    condition: undefined,
    timeoutMs: undefined,
    payload: preparePayload(shape),
  }
  routes.add({ ...shape, triggerId: 'T', target })
  fakes.set('f', () => PENDING)
  const handler = createHandler({
    config: httpConfigSchema.parse(config),
    routes,
    client: call === undefined ? client : { call },
    clock: systemClock,
    log: silentLog,
    allowSilence: () => {},
  })
  function send(path: string): { response: Promise<Response>; leave(): void } {
    const leaving = new AbortController()
    const response = handler.handle(new Request(`http://h${path}`, { signal: leaving.signal }))
    return { response: Promise.resolve(response), leave: () => leaving.abort() }
  }
  return { handler, calls, send }
}

export async function startHttp(config: object = {}, clock: Clock = systemClock): Promise<TestHttp> {
  const { client: caller, calls, fakes, called } = createFakeClient()
  const log: Line[] = []
  let provider: TriggerProvider | undefined
  let triggers = 0
  let remarks: unknown

  const line =
    (level: keyof Log) =>
    (message: string, fields: LogFields = {}) =>
      void log.push({ level, message, fields })
  const client = {
    ...caller,
    registerTriggerType(_definition: unknown, given: TriggerProvider) {
      provider = given
      return { unregister: () => (provider = undefined) }
    },
  } as Partial<BuiltInClient> as BuiltInClient

  const worker = createHttpWorker(httpConfigSchema.parse({ port: 0, ...config }), {
    clock,
    log: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
  })
  const running = await worker.start(client)
  const address = running.addresses.http!

  return {
    address,
    calls,
    log,
    bind(triggerConfig, fake, options = {}) {
      const id = options.id ?? `trigger-${++triggers}`
      const functionId = options.functionId ?? `function-of-${id}`
      if (fake !== undefined) fakes.set(functionId, fake)
      remarks = provider!.bind({
        id,
        trigger_type: 'http',
        function_id: functionId,
        config: toJsonText(triggerConfig),
        metadata: textOf(options.metadata),
        namespace: options.namespace,
      })
      return id
    },
    remarks: () => remarks,
    unbind(id) {
      const binding = { trigger_type: 'http', function_id: '', config: asJsonText('null') }
      provider!.unbind({ ...binding, id, metadata: undefined, namespace: undefined })
    },
    called,
    fetch: (path, init) => fetch(address + path, init),
    drain: () => running.drain(),
    stop: () => running.stop(),
  }
}

/** Starts a worker for the time of `test`. */
export async function withHttp(
  config: object,
  test: (http: TestHttp) => Promise<void>,
  clock?: Clock,
): Promise<void> {
  const http = await startHttp(config, clock)
  try {
    await test(http)
  } finally {
    await http.stop()
  }
}

export interface RawConnection {
  /** One character per byte. */
  send(text: string): void
  /** Everything received so far, as soon as it matches or the connection has ended. */
  until(pattern: RegExp): Promise<string>
  /** Everything received, as soon as the connection has ended. */
  ended(): Promise<string>
  destroy(): void
}

export function openRaw(address: string): RawConnection {
  const { hostname, port } = new URL(address)
  const socket = net.connect(Number(port), hostname)
  let received = ''
  let closed = false
  let changed = Promise.withResolvers<void>()
  const notify = () => {
    changed.resolve()
    changed = Promise.withResolvers()
  }
  socket.on('data', data => {
    received += data.toString('latin1')
    notify()
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    closed = true
    notify()
  })
  return {
    send: text => void socket.write(Buffer.from(text, 'latin1')),
    async until(pattern) {
      while (!pattern.test(received) && !closed) await changed.promise
      return received
    },
    async ended() {
      while (!closed) await changed.promise
      return received
    },
    destroy: () => void socket.destroy(),
  }
}

export interface ErrorAnswer {
  error: { code: string; message: string; error_id?: string }
  skipped?: boolean
}

export async function errorOf(response: Response): Promise<ErrorAnswer> {
  return (await response.json()) as ErrorAnswer
}

/** Polls until `condition` holds; for conditions that nothing announces. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setImmediate(resolve))
}
