/**
 * The transport over a WebSocket: Bun, Node (22 and later) and browsers. Reconnects after every close code, with
 * growing delays and jitter (`docs/sdk-typescript.md#the-connection`).
 */
import type { Clock } from '../../../src/clock/clock.ts'
import type { Frame } from '../../../src/protocol/frames.ts'
import { decodeJson } from '../../../src/protocol/json/decode.ts'
import { encodeJson } from '../../../src/protocol/json/encode.ts'
import { toJsonText } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import { EngineUnreachableError } from './errors.ts'
import type { Transport, TransportReceiver } from './transport.ts'

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

/** Time a connection may take to open. */
const HANDSHAKE_MS = 10_000

export function createWebSocketTransport(
  address: string,
  clock: Clock,
  random: () => number,
  reconnect: ReconnectOptions = defaultReconnect,
  handshakeMs: number = HANDSHAKE_MS,
): Transport {
  let socket: WebSocket | undefined
  let receiver: TransportReceiver
  let attempts = 0
  let closedForGood = false
  let cancelRetry = (): void => {}

  function dial(): void {
    let current: WebSocket
    try {
      current = new WebSocket(address)
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
    current.binaryType = 'arraybuffer'
    const ended = (): void => {
      if (over) return
      over = true
      cancelHandshake()
      cancelPing()
      if (socket === current) socket = undefined
      if (!closedForGood) lost(opened)
    }
    const cancelHandshake = clock.after(handshakeMs, () => {
      current.close()
      ended()
    })
    current.onopen = () => {
      if (over || closedForGood) return
      opened = true
      attempts = 0
      cancelHandshake()
      ping()
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
        current.send(encodeJson({ type: 'ping' }))
        ping()
      })
    }
    current.onmessage = event => {
      // After a close of ours, messages that were under way still come.
      if (over || closedForGood) return
      heardAt = clock.now()
      const frame = decodeJson(
        typeof event.data === 'string' ? event.data : new TextDecoder().decode(event.data as ArrayBuffer),
      )
      if (frame === undefined) return
      if (frame.type === 'problem') receiver.problem(frame)
      else receiver.received(frame)
    }
    current.onclose = ended
    current.onerror = ended
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
  function sendTooLarge(frame: Frame, bytes: number): void {
    const message = `Serialized JSON envelope is ${bytes} bytes; limit is ${limits.messageBytes} bytes.`
    const error = toJsonText({ code: 'payload_too_large', message })
    if (frame.type === 'invocationresult') {
      socket?.send(encodeJson({ ...frame, error, result: undefined }))
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
    open(events) {
      receiver = events
      cancelRetry = clock.after(0, dial)
    },
    send(frame) {
      const text = encodeJson(frame)
      // A character takes three bytes at most: the bytes of most messages need not be counted.
      const bytes = text.length * 3 <= limits.messageBytes ? 0 : new TextEncoder().encode(text).length
      if (bytes > limits.messageBytes) sendTooLarge(frame, bytes)
      else socket?.send(text)
    },
    close() {
      closedForGood = true
      cancelRetry()
      socket?.close()
      socket = undefined
    },
  }
}
