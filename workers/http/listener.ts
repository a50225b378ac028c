/**
 * The port the http worker listens on.
 *
 * The server below (`Bun.serve`) refuses by itself, without our envelope, what is not clean HTTP/1.1: Content-Length
 * beside Transfer-Encoding, folded headers, bare line feeds, control characters, a header block over 16 KiB, headers
 * that take longer than 12 s. `tests/http/strictness.test.ts` holds that list.
 */
import { explainListenFailure } from '../../src/net/listenError.ts'
import { urlHost } from '../../src/net/loopback.ts'
import type { HttpConfig } from './config.ts'

export interface Listener {
  readonly address: string
  /** Closes the port and idle connections; resolves when the answers under way have been sent. */
  drain(): Promise<void>
  /** Cuts every connection. */
  stop(): Promise<void>
}

export interface ListenerHandler {
  handle(request: Request): Response | Promise<Response>
  crashed(error: unknown): Response
}

/** Lets a request be silent for as long as its answer may take. */
export type AllowSilence = (request: Request, ms: number) => void

/** Bodies are limited where they are read: then the refusal has our envelope. */
const NO_BODY_LIMIT = 2 ** 40

/** The server counts silence in seconds, 255 at most; 0 = without end. */
const LONGEST_SILENCE = 255
const SHORTEST_SILENCE = 30
/** So that an answer which comes just in time still finds its connection. */
const MARGIN = 10

function silenceSeconds(ms: number): number {
  const seconds = Math.ceil(ms / 1000) + MARGIN
  return seconds > LONGEST_SILENCE ? 0 : seconds
}

/** `createHandler` gets the function by which it keeps a slow request's connection open. */
export function listen(
  { host, port, default_timeout }: HttpConfig,
  reusePort: boolean,
  createHandler: (allowSilence: AllowSilence) => ListenerHandler,
): Listener {
  const usual = Math.max(
    SHORTEST_SILENCE,
    Math.min(LONGEST_SILENCE, Math.ceil(default_timeout / 1000) + MARGIN),
  )
  const handler = createHandler((request, ms) => {
    const needed = silenceSeconds(ms)
    if (needed > usual || needed === 0) server.timeout(request, needed)
  })
  const server = start(host, port, reusePort, usual, handler)
  return {
    address: `http://${urlHost(host)}:${server.port ?? port}`,
    drain: () => server.stop(),
    stop: () => server.stop(true),
  }
}

function start(
  hostname: string,
  port: number,
  reusePort: boolean,
  idleTimeout: number,
  handler: ListenerHandler,
) {
  try {
    return Bun.serve({
      hostname,
      port,
      idleTimeout,
      maxRequestBodySize: NO_BODY_LIMIT,
      development: false,
      // Said aloud because outside development the server would share a taken port instead of failing.
      reusePort,
      fetch: handler.handle,
      error: handler.crashed,
    })
  } catch (error) {
    throw explainListenFailure(error, { listener: 'iii-http', host: hostname, port })
  }
}
