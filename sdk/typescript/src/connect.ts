/** Connects a worker of any kind over a WebSocket. */
import { systemClock } from '../../../src/clock/clock.ts'
import { ENGINE_URL } from '../../../src/protocol/address.ts'
import { createInvocationIds } from '../../../src/protocol/uuid.ts'
import { createClient } from './client.ts'
import { createWebSocketTransport, defaultReconnect, type ReconnectOptions } from './websocket.ts'
import type { BuiltInClient } from './worker.ts'

export interface InitOptions {
  /** Else `III_WORKER_NAME`, else `<host>:<process id>`. */
  workerName?: string
  workerDescription?: string
  /** Else `III_NAMESPACE`, else `default`. Blank throws. */
  namespace?: string
  /** Default 30,000. */
  invocationTimeoutMs?: number
  reconnectionConfig?: Partial<ReconnectOptions>
  /** `false`: one attempt; `ready()` rejects when it fails. */
  reconnect?: boolean
  /** Time the connection may take to open; default 10,000. */
  connectTimeoutMs?: number
  /** Told of refused registrations and other faults nobody waits for; default: one line on the console. */
  onWarning?: (error: Error) => void
  /** How messages are written, `json` by default; `msgpack` needs an engine that speaks it. */
  framing?: 'json' | 'msgpack'
}

/**
 * Version of the protocol generation this client speaks: name leases, refusals
 * (`docs/protocol/json.md#generations-of-clients`).
 */
const ANNOUNCED_VERSION = '0.23.0'

/** Handlers are told when their caller gives up. */
const FEATURES = ['cancel.v1']

const environment: Record<string, string | undefined> = typeof process === 'undefined' ? {} : process.env

function runtimeName(): string {
  if (typeof process === 'undefined') return 'browser'
  return process.versions.bun === undefined ? 'node' : 'bun'
}

function defaultName(): string {
  if (typeof process === 'undefined') return `browser:${crypto.randomUUID().slice(0, 8)}`
  return `${environment.HOSTNAME ?? 'localhost'}:${process.pid}`
}

/** A worker that is refused must not vanish without a word. */
function warnOnConsole(error: Error): void {
  // biome-ignore lint/suspicious/noConsole: a program that names no receiver has no other place to look at.
  console.warn(`iii: ${error.message}`)
}

/** Connects to an engine in the background and returns at once, with what a built-in needs beside. */
export function connectWorker(address?: string, options: InitOptions = {}): BuiltInClient {
  if (options.namespace !== undefined && options.namespace.trim() === '') {
    throw new TypeError('namespace is blank; give it a name or leave it out')
  }
  const namespace = options.namespace ?? (environment.III_NAMESPACE?.trim() || undefined)
  const url = address ?? environment.III_URL ?? ENGINE_URL
  const reconnect = { ...defaultReconnect, ...options.reconnectionConfig }
  if (options.reconnect === false) reconnect.maxRetries = 0
  const name = options.workerName ?? environment.III_WORKER_NAME ?? defaultName()

  return createClient({
    transport: createWebSocketTransport(
      url,
      systemClock,
      Math.random,
      reconnect,
      options.connectTimeoutMs,
      options.framing,
    ),
    clock: systemClock,
    newId: createInvocationIds(() => crypto.randomUUID()),
    announcement: () => ({
      runtime: runtimeName(),
      version: ANNOUNCED_VERSION,
      name,
      description: options.workerDescription,
      os: typeof process === 'undefined' ? undefined : `${process.platform} (${process.arch})`,
      pid: typeof process === 'undefined' ? undefined : process.pid,
      isolation: environment.III_ISOLATION,
      namespace,
      features: FEATURES,
    }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(options.invocationTimeoutMs === undefined ? {} : { defaultTimeoutMs: options.invocationTimeoutMs }),
    onWarning: options.onWarning ?? warnOnConsole,
  })
}
