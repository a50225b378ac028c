/**
 * The client core: what a worker is, whatever carries its frames.
 *
 * It keeps all registrations, so that they can be sent again after a reconnect, and the calls under way. Built-in
 * workers of the engine use it over a local link and have no other door; programs use it over a WebSocket.
 *
 * On each connection, in this order: `reattach` (when there was one before), announce, trigger types, functions,
 * triggers, calls that waited.
 */
import type { Clock } from '../../../src/clock/clock.ts'
import { FieldProblem } from '../../../src/protocol/fieldProblem.ts'
import {
  type CallId,
  type Frame,
  type FrameProblem,
  type InvokeFrame,
  newCall,
  type Payload,
  type RegistrationRejectedFrame,
  type Target,
} from '../../../src/protocol/frames.ts'
import { type JsonText, toJsonText } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import { jsonOf } from '../../../src/protocol/msgpack/payload.ts'
import { FIRST_CALL_ID } from '../../../src/protocol/msgpack/writeCall.ts'
import { createCallTable } from './calls.ts'
import { CancelledError, ConnectionLostError, RegistrationRejectedError } from './errors.ts'
import { createRuns, runHandler } from './handlers.ts'
import { payloadOf } from './payloads.ts'
import { bindTrigger, unbindTrigger } from './providers.ts'
import { createRegistrations } from './registrations.ts'
import type { InsideTransport, Transport } from './transport.ts'
import type {
  AnswerReceiver,
  BuiltInClient,
  CallRequest,
  ConnectionState,
  Handler,
  TellOptions,
  TextCall,
  TriggerDefinition,
} from './worker.ts'

export interface ClientOptions {
  transport: Transport
  clock: Clock
  /** UUIDs of calls and triggers this client makes; need not be secret. */
  newId: () => string
  /** Payload of the announce; absent: the client does not announce itself. */
  announcement?: () => unknown
  /** Home namespace; calls and triggers that name none go there. */
  namespace?: string
  defaultTimeoutMs?: number
  /** Told of refused registrations and other faults nobody waits for. */
  onWarning?: (error: Error) => void
}

const CLOSED = 'the connection to the engine is closed'

/** Ids of the engine live in `default`, whatever the namespace of the caller. */
function namespaceOf(
  functionId: string,
  named: string | undefined,
  home: string | undefined,
): string | undefined {
  if (named !== undefined) return named
  return functionId.startsWith('engine::') || functionId.startsWith('configuration::') ? undefined : home
}

/** Call ids of the msgpack framing, each in the form that takes five bytes. */
function createCallNumbers(): () => CallId {
  let last = FIRST_CALL_ID - 1
  return () => {
    last = last === 0xffff_ffff ? FIRST_CALL_ID : last + 1
    return last
  }
}

function answerInJson(result: Exclude<Payload, string>, answer: AnswerReceiver): void {
  try {
    answer(undefined, jsonOf(result))
  } catch (error) {
    if (!(error instanceof FieldProblem)) throw error
    answer({ code: 'deserialization_error', message: error.detail }, undefined)
  }
}

/** Over a transport that has no fan-out, `tellAll` makes the calls itself. */
export function createClient(
  options: ClientOptions & { transport: Transport & Partial<InsideTransport> },
): BuiltInClient {
  const { transport, clock, newId } = options
  const { framing = 'json' } = transport
  const newCallId = framing === 'json' ? newId : createCallNumbers()
  const runs = createRuns()
  const warn = options.onWarning ?? (() => {})
  const defaultTimeoutMs = options.defaultTimeoutMs ?? limits.callTimeoutMs
  const registrations = createRegistrations(options.namespace, newId, frame => sendIfOpen(frame))
  const calls = createCallTable(clock, transport.engineKeepsDeadlines, frame => transport.send(frame))

  let state: ConnectionState = 'connecting'
  let open = false
  let workerId: string | undefined
  let reattachToken: string | undefined
  /** Who this client was on the connection before; proves on the next one that it is the same worker. */
  let previous: { workerId: string; reattachToken: string | undefined } | undefined
  let fatal: Error | undefined
  /** Messages that could not be read, of all connections. */
  let unreadable = 0
  let readyWaiters: PromiseWithResolvers<void>[] = []

  function sendIfOpen(frame: Frame): void {
    if (open) transport.send(frame)
  }

  function opened(): void {
    open = true
    if (previous !== undefined) {
      const { workerId: previousWorkerId, reattachToken: token } = previous
      transport.send({ type: 'reattach', previousWorkerId, reattachToken: token })
    }
    if (options.announcement !== undefined) {
      transport.send(newCall('engine::workers::register', toJsonText(options.announcement())))
    }
    registrations.sendAll()
    calls.opened()
  }

  function received(frame: Frame): void {
    switch (frame.type) {
      case 'invocationresult':
        calls.answered(frame)
        return
      case 'invokefunction':
        invoked(frame)
        return
      case 'cancelinvocation':
        runs.cancel(frame.invocationId)
        return
      case 'registertrigger':
        bindTrigger(registrations, frame, sendIfOpen)
        return
      case 'unregistertrigger':
        unbindTrigger(registrations, frame, warn)
        return
      case 'workerregistered':
        workerId = frame.workerId
        reattachToken = frame.reattachToken || undefined
        becomeReady()
        return
      case 'triggerregistrationresult':
        if (frame.error !== undefined)
          warn(
            new Error(
              `trigger ${frame.id} (${frame.triggerType}) refused: ${frame.error.code}: ${frame.error.message}`,
            ),
          )
        return
      case 'registrationrejected':
        rejected(frame)
        return
      case 'ping':
        transport.send({ type: 'pong' })
        return
      case 'error':
        warn(new Error(`${frame.error.code}: ${frame.error.message}`))
        return
      default:
        return
    }
  }

  function invoked(frame: InvokeFrame): void {
    const called = registrations.functionOf(frame.functionId)
    runHandler(called?.handler, frame, sendIfOpen, runs, framing, called?.rawInput)
  }

  /** A peer that says nothing but what cannot be read is not worth a warning for each. */
  function problem({ detail }: FrameProblem): void {
    unreadable++
    // 1, 10, 100, …
    if (!Number.isInteger(Math.log10(unreadable))) return
    const count = unreadable === 1 ? '' : ` (${unreadable} messages so far)`
    warn(new Error(`a message of the engine could not be read and is lost: ${detail}${count}`))
  }

  function becomeReady(): void {
    state = 'connected'
    for (const { resolve } of takeReadyWaiters()) resolve()
  }

  function takeReadyWaiters(): PromiseWithResolvers<void>[] {
    const waiters = readyWaiters
    readyWaiters = []
    return waiters
  }

  function rejected(frame: RegistrationRejectedFrame): void {
    const error = new RegistrationRejectedError(frame)
    warn(error)
    if (frame.code === 'WORKER_NAMESPACE_CONFLICT') fail(error)
  }

  /** The worker cannot exist as it is configured; trying again would not help. */
  function fail(error: Error): void {
    fatal = error
    state = 'failed'
    open = false
    transport.close()
    calls.failAll()
    for (const { reject } of takeReadyWaiters()) reject(error)
  }

  function closed(final: boolean, error?: Error): void {
    open = false
    if (state === 'failed') return
    runs.cancelAll()
    if (workerId !== undefined) previous = { workerId, reattachToken }
    state = final ? 'disconnected' : 'reconnecting'
    calls.closed(final)
    if (!final) return
    fatal = error
    for (const { reject } of takeReadyWaiters()) reject(error ?? new Error(CLOSED))
  }

  function call(request: TextCall, answer: AnswerReceiver): () => void {
    return calls.call(frameOf(request), request.timeoutMs, (error, result) => {
      if (typeof result === 'object') answerInJson(result, answer)
      else answer(error, result)
    })
  }

  function frameOf(request: Omit<TextCall, 'data'> & { data: Payload }): InvokeFrame {
    return {
      type: 'invokefunction',
      invocationId: newCallId(),
      functionId: request.functionId,
      data: request.data,
      namespace: namespaceOf(request.functionId, request.namespace, options.namespace),
      action: 'plain',
      queue: undefined,
      metadata: request.metadata,
      traceparent: request.traceparent,
      baggage: request.baggage,
      timeoutMs: request.timeoutMs,
      caller: undefined,
    }
  }

  /** A payload that JSON cannot hold rejects like any other fault of the call. */
  function trigger<Output>(request: CallRequest): Promise<Output> {
    try {
      return start<Output>(request)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  function start<Output>(request: CallRequest): Promise<Output> {
    const { function_id: functionId, action, signal } = request
    const timeoutMs = request.timeoutMs ?? defaultTimeoutMs
    const frame = frameOf({
      functionId,
      data: payloadOf(request.payload === undefined ? {} : request.payload, framing),
      namespace: request.namespace,
      metadata: request.metadata === undefined ? undefined : toJsonText(request.metadata),
      timeoutMs,
      traceparent: request.cause?.traceparent,
      baggage: request.cause?.baggage,
    })
    if (action?.type === 'void') {
      const isOnItsWay = calls.tell({
        ...frame,
        action: 'void',
        invocationId: undefined,
        timeoutMs: undefined,
      })
      return isOnItsWay
        ? Promise.resolve(null as Output)
        : Promise.reject(new ConnectionLostError(functionId, CLOSED))
    }
    if (action?.type === 'enqueue') {
      frame.action = 'enqueue'
      frame.queue = action.queue
    }
    if (signal?.aborted === true) return Promise.reject(new CancelledError(functionId))
    const { promise, resolve, reject } = Promise.withResolvers<Output>()
    // One signal may serve many calls; it must not hold on to those that are over.
    const ignoreSignal = (): void => signal?.removeEventListener('abort', abort)
    const abort = (): void => {
      ignoreSignal()
      if (sent.cancel()) reject(new CancelledError(functionId))
    }
    const sent = calls.promise(
      frame,
      timeoutMs,
      value => {
        ignoreSignal()
        resolve(value as Output)
      },
      error => {
        ignoreSignal()
        reject(error)
      },
    )
    signal?.addEventListener('abort', abort)
    return promise
  }

  transport.open({ opened, received, problem, closed })

  /** Over a socket nothing is heard of what is lost: a call that wants no answer gets none. */
  function tellAll(
    targets: readonly Target[],
    data: JsonText,
    { traceparent, baggage, lost }: TellOptions = {},
  ): boolean {
    if (!open) return false
    if (transport.fanOut !== undefined) {
      transport.fanOut({ type: 'fanout', targets, data, traceparent, baggage, lost })
      return true
    }
    for (const { functionId, namespace, metadata } of targets) {
      const call = newCall(functionId, data)
      call.namespace = namespace
      call.metadata = metadata
      call.traceparent = traceparent
      call.baggage = baggage
      transport.send(call)
    }
    return true
  }

  return {
    registerFunction: (id, handler, functionOptions) =>
      registrations.addFunction(id, handler as Handler, functionOptions ?? {}),
    registerTriggerType: (definition, provider) => registrations.addTriggerType(definition, provider),
    registerTrigger: (definition: TriggerDefinition) => registrations.addTrigger(definition),
    trigger,
    call,
    getConnectionState: () => state,
    getFatalError: () => fatal,
    workerId: () => workerId,
    ready() {
      if (state === 'connected') return Promise.resolve()
      if (state === 'failed' || state === 'disconnected') {
        return Promise.reject(fatal ?? new Error(CLOSED))
      }
      const waiter = Promise.withResolvers<void>()
      readyWaiters.push(waiter)
      return waiter.promise
    },
    async shutdown() {
      if (state === 'disconnected' || state === 'failed') return
      transport.close()
      closed(true)
    },
    tellAll,
    wait: more => transport.wait?.(more),
  }
}
