/**
 * The transport over a WebSocket: Bun, Node (22 and later) and browsers. Reconnects after every close code, with
 * growing delays and jitter (`sdk.md` 1, 6.5).
 */
import type { Clock } from '../../../src/clock/clock.ts'
import { decodeJson } from '../../../src/protocol/json/decode.ts'
import { encodeJson } from '../../../src/protocol/json/encode.ts'
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

/** Time a connection may take to open. */
const HANDSHAKE_MS = 10_000

/** No engine listens where we dialled. */
export class EngineUnreachableError extends Error {
  override readonly name = 'EngineUnreachableError'
  readonly address: string

  constructor(address: string) {
    super(`no engine answers at ${address}`)
    this.address = address
  }
}

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
    socket = current
    current.binaryType = 'arraybuffer'
    const ended = (): void => {
      if (over) return
      over = true
      cancelHandshake()
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
      receiver.opened()
    }
    current.onmessage = event => {
      // After a close of ours, messages that were under way still come.
      if (over || closedForGood) return
      const frame = decodeJson(
        typeof event.data === 'string' ? event.data : new TextDecoder().decode(event.data as ArrayBuffer),
      )
      if (frame !== undefined && frame.type !== 'problem') receiver.received(frame)
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

  return {
    engineKeepsDeadlines: false,
    open(events) {
      receiver = events
      cancelRetry = clock.after(0, dial)
    },
    send: frame => socket?.send(encodeJson(frame)),
    close() {
      closedForGood = true
      cancelRetry()
      socket?.close()
      socket = undefined
    },
  }
}
