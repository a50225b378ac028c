/** A client on a transport that the test holds in its hands. */
import { type ClientOptions, createClient } from '../../sdk/typescript/src/client.ts'
import type { Transport, TransportReceiver } from '../../sdk/typescript/src/transport.ts'
import type { WorkerClient } from '../../sdk/typescript/src/worker.ts'
import { type Frame, type InvokeFrame, newCall } from '../../src/protocol/frames.ts'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { createSeededIds, createVirtualClock, type VirtualClock } from '../support/fakes.ts'

export interface HeldTransport extends Transport {
  receiver: TransportReceiver
  isClosed: boolean
  /** Takes out what was sent since the last look. */
  take(): Frame[]
}

export function createHeldTransport(engineKeepsDeadlines = false): HeldTransport {
  let sent: Frame[] = []
  const transport: HeldTransport = {
    engineKeepsDeadlines,
    receiver: undefined as never,
    isClosed: false,
    open(receiver) {
      transport.receiver = receiver
    },
    send: frame => void sent.push({ ...frame }),
    close() {
      transport.isClosed = true
    },
    take() {
      const frames = sent
      sent = []
      return frames
    },
  }
  return transport
}

export interface HeldClient {
  readonly client: WorkerClient
  readonly transport: HeldTransport
  readonly clock: VirtualClock
  readonly warnings: Error[]
  /** A connection stands; the engine has said who the worker is. */
  open(workerId?: string): void
  /** Takes the one call that was sent since the last look. */
  takeCall(): InvokeFrame
  answer(call: InvokeFrame, result: unknown, error?: { code: string; message: string }): void
}

export function holdClient(options: Partial<ClientOptions> = {}): HeldClient {
  const transport = (options.transport as HeldTransport | undefined) ?? createHeldTransport()
  const clock = createVirtualClock()
  const warnings: Error[] = []
  const client = createClient({
    transport,
    clock,
    newId: createSeededIds(),
    onWarning: error => void warnings.push(error),
    ...options,
  })
  return {
    client,
    transport,
    clock,
    warnings,
    open(workerId = 'W1') {
      transport.receiver.opened()
      transport.receiver.received({
        type: 'workerregistered',
        workerId,
        reattachToken: `token of ${workerId}`,
      })
    },
    takeCall() {
      const frames = transport.take()
      const call = frames.at(-1)
      if (frames.length !== 1 || call?.type !== 'invokefunction')
        throw new Error(`no call in ${JSON.stringify(frames)}`)
      return call
    },
    answer(call, result, error) {
      transport.receiver.received({
        type: 'invocationresult',
        invocationId: call.invocationId!,
        functionId: call.functionId,
        result: result === undefined ? undefined : asJsonText(JSON.stringify(result)),
        error: error === undefined ? undefined : asJsonText(JSON.stringify(error)),
        traceparent: undefined,
        baggage: undefined,
      })
    },
  }
}

/** A call as the engine sends it to a worker. */
export function callFrame(functionId: string, data: string, more: Partial<InvokeFrame> = {}): InvokeFrame {
  const invocationId = 'c2a4a5a6-0000-4000-8000-0000000000aa'
  return { ...newCall(functionId, asJsonText(data), invocationId), ...more }
}

/** What a promise has come to so far. */
export async function stateOf(promise: Promise<unknown>): Promise<'pending' | 'resolved' | 'rejected'> {
  const settled = promise.then(
    () => 'resolved' as const,
    () => 'rejected' as const,
  )
  return Promise.race([settled, Bun.sleep(0).then(() => 'pending' as const)])
}
