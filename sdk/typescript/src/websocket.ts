/**
 * The transport over a WebSocket: Bun, Node (22 and later) and browsers. Reconnects after every close code, with
 * growing delays and jitter (`docs/sdk-typescript.md#the-connection`).
 */
import type { Clock } from '../../../src/clock/clock.ts'
import type { Frame } from '../../../src/protocol/frames.ts'
import { toJsonText } from '../../../src/protocol/jsonText.ts'
import { EngineUnreachableError } from './errors.ts'
import type { FramingName } from './payloads.ts'
import type { Transport, TransportReceiver } from './transport.ts'
import { createWire, protocolsOf, type Wire } from './wire.ts'

export interface ReconnectOptions {
  initialDelayMs: number
  maxDelayMs: number
  backoffMultiplier: number
  /** Share of the delay that chance may add or take away: 0.3 means ±30 %. */
  jitterFactor: number
  /** -1: for ever. */
  maxRetries: number
}

export const defaultReconnect: ReconnectOptions = {
  initialDelayMs: 1000,
  maxDelayMs: 30_000,
  backoffMultiplier: 2,
  jitterFactor: 0.3,
  maxRetries: -1,
}

/**
 * A silent connection is asked for a sign of life this often, and given up after this much silence
 * (`docs/sdk-typescript.md#the-connection`).
 */
const PING_MS = 20_000
const SILENCE_MS = 60_000

/** Close code for a connection whose messages cannot be read; programs in a browser have only these to choose from. */
const BROKEN = 4002

/** The engine has not selected the sub-protocol. */
const MISSING_PROTOCOL = /: (Missing|Mismatch) client protocol$/

/** Time a connection may take to open. */
const HANDSHAKE_MS = 10_000

export function createWebSocketTransport(
  address: string,
  clock: Clock,
  random: () => number,
  reconnect: ReconnectOptions = defaultReconnect,
  handshakeMs: number = HANDSHAKE_MS,
  framing: FramingName = 'json',
): Transport {
  let socket: WebSocket | undefined
  let wire: Wire | undefined
  let receiver: TransportReceiver
  let attempts = 0
  let closedForGood = false
  let cancelRetry = (): void => {}

  function dial(): void {
    let current: WebSocket
    try {
      current = new WebSocket(address, protocolsOf(framing))
    } catch (error) {
      closedForGood = true
      receiver.closed(true, error instanceof Error ? error : new Error(String(error)))
      return
    }
    let opened = false
    let over = false
    let heardAt = clock.now()
    let cancelPing = (): void => {}
    socket = current
    const currentWire = createWire(framing, {
      send: message => current.send(message),
      received: frame => receiver.received(frame),
      problem: problem => receiver.problem(problem),
      failed({ reason, detail }) {
        current.close(BROKEN, `${reason}: ${detail}`.slice(0, 120))
        ended()
      },
      // After a close of ours, messages that were under way still come.
      isOver: () => over || closedForGood,
    })
    wire = currentWire
    current.binaryType = 'arraybuffer'
    const ended = (): void => {
      if (over) return
      over = true
      cancelHandshake()
      cancelPing()
      if (socket === current) {
        socket = undefined
        wire = undefined
      }
      if (!closedForGood) lost(opened)
    }
    const cancelHandshake = clock.after(handshakeMs, () => {
      current.close()
      ended()
    })
    current.onopen = () => {
      if (over || closedForGood) return
      if (current.protocol !== (protocolsOf(framing)[0] ?? '')) {
        refuseFraming()
        return
      }
      opened = true
      attempts = 0
      cancelHandshake()
      ping()
      currentWire.opened()
      receiver.opened()
    }
    // A message of the protocol, because browsers cannot send WebSocket pings; any answer is a sign of life.
    const ping = (): void => {
      cancelPing = clock.after(PING_MS, () => {
        if (clock.now() - heardAt >= SILENCE_MS) {
          current.close()
          ended()
          return
        }
        currentWire.send({ type: 'ping' })
        ping()
      })
    }
    current.onmessage = event => {
      if (over || closedForGood) return
      heardAt = clock.now()
      currentWire.received(event.data as string | ArrayBuffer)
    }
    current.onclose = ended
    current.onerror = event => {
      // Bun says so; browsers end such a connection without a word.
      const text = (event as { message?: string }).message ?? ''
      if (framing === 'msgpack' && !opened && !closedForGood && MISSING_PROTOCOL.test(text)) refuseFraming()
      else ended()
    }
  }

  /** An engine before the msgpack framing, or something between: dialling again would not help. */
  function refuseFraming(): void {
    const current = socket
    closedForGood = true
    socket = undefined
    current?.close()
    receiver.closed(true, new Error(`the engine at ${address} does not speak msgpack; use framing 'json'`))
  }

  function lost(wasOpen: boolean): void {
    const { maxRetries, initialDelayMs, backoffMultiplier, maxDelayMs, jitterFactor } = reconnect
    if (maxRetries >= 0 && attempts >= maxRetries) {
      closedForGood = true
      receiver.closed(true, wasOpen ? undefined : new EngineUnreachableError(address))
      return
    }
    const delay = Math.min(initialDelayMs * backoffMultiplier ** attempts, maxDelayMs)
    attempts++
    // Before the receiver hears of it: it may close the transport for good, which cancels this.
    cancelRetry = clock.after(delay * (1 + jitterFactor * (2 * random() - 1)), dial)
    receiver.closed(false)
  }

  /** A message beyond the limit would cost the connection: its sender, or the caller, hears of it instead. */
  function sendTooLarge(frame: Frame, bytes: number, limit: number): void {
    const what = framing === 'json' ? 'Serialized JSON envelope' : 'The message'
    const message = `${what} is ${bytes} bytes; limit is ${limit} bytes.`
    const error = toJsonText({ code: 'payload_too_large', message })
    if (frame.type === 'invocationresult') {
      wire?.send({ ...frame, error, result: undefined })
    } else if (frame.type === 'invokefunction' && frame.invocationId !== undefined) {
      const { invocationId, functionId, traceparent, baggage } = frame
      const answer: Frame = {
        type: 'invocationresult',
        invocationId,
        functionId,
        result: undefined,
        error,
        traceparent,
        baggage,
      }
      clock.after(0, () => receiver.received(answer))
    }
  }

  return {
    engineKeepsDeadlines: false,
    framing,
    open(events) {
      receiver = events
      cancelRetry = clock.after(0, dial)
    },
    send(frame) {
      const tooLarge = wire?.send(frame)
      if (tooLarge !== undefined) sendTooLarge(frame, tooLarge.bytes, tooLarge.limit)
    },
    close() {
      wire?.flush()
      closedForGood = true
      cancelRetry()
      socket?.close()
      socket = undefined
      wire = undefined
    },
  }
}
