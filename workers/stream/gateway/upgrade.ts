/** Who may connect: the path, the origin, and what the auth function says (`docs/streams.md#who-may-connect`). */
import type { WorkerClient } from '../../../sdk/typescript/src/worker.ts'
import type { Log } from '../../../src/log/log.ts'
import { createBoundedTally, shortened } from '../../../src/log/notices.ts'
import { isAllowedOrigin } from '../../../src/net/origin.ts'
import { pathOf, upgradeFault } from '../../../src/net/upgrade.ts'
import { membersOf, typeOfJson } from '../../../src/protocol/json/split.ts'
import { JSON_NULL, type JsonText, toJsonText } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import type { StreamConfig } from '../config.ts'
import type { Counters } from './counters.ts'

export interface UpgradeParts {
  readonly config: StreamConfig
  readonly client: Pick<WorkerClient, 'call'>
  readonly counters: Counters
  readonly log: Log
}

/** What the client is, or what it is answered. */
export type Admitted = { readonly context: JsonText } | Response

function refuse(status: number, text: string, headers: Record<string, string> = {}): Response {
  return new Response(`${text}\n`, { status, headers: { 'content-type': 'text/plain', ...headers } })
}

/** Every value of every key, as they are written: nothing is decoded. */
function queryOf(url: string): Record<string, string[]> {
  const start = url.indexOf('?')
  const found: Record<string, string[]> = Object.create(null)
  if (start < 0) return found
  const end = url.indexOf('#', start)
  for (const pair of url.slice(start + 1, end < 0 ? undefined : end).split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const key = equals < 0 ? pair : pair.slice(0, equals)
    found[key] ??= []
    found[key].push(equals < 0 ? '' : pair.slice(equals + 1))
  }
  return found
}

export function createUpgrade({ config, client, counters, log }: UpgradeParts) {
  const { auth_function: authFunction, auth_fail_closed: failClosed } = config
  const anyOrigin = config.allowed_origins.includes('*')
  const tally = createBoundedTally(limits.streamNotices)
  let waiting = 0

  function tell(message: string, kind: string, fields: Record<string, unknown>): void {
    const count = tally(`${message} ${kind}`)
    if (count !== undefined) log.warn(message, { ...fields, count })
  }

  function answered(
    error: { code: string; message: string } | undefined,
    result: JsonText | undefined,
  ): Admitted {
    const context =
      result !== undefined && typeOfJson(result) === 'object' ? membersOf(result).get('context') : undefined
    if (context !== undefined) return { context }
    const why = error === undefined ? 'its answer is not {"context": …}' : `${error.code}: ${error.message}`
    const message = failClosed
      ? 'a client of streams was refused: the auth function has not let it in'
      : 'a client of streams was let in without context: the auth function has failed'
    tell(message, error?.code ?? '', { function_id: authFunction, error: shortened(why, 400) })
    if (!failClosed) return { context: JSON_NULL }
    counters.refused++
    return error === undefined
      ? refuse(403, 'You may not connect.')
      : refuse(401, 'It could not be found out who you are.')
  }

  function authenticate(functionId: string, request: Request, address: string): Promise<Admitted> {
    waiting++
    const { promise, resolve } = Promise.withResolvers<Admitted>()
    const data = toJsonText({
      headers: Object.fromEntries(request.headers),
      path: pathOf(request.url),
      query_params: queryOf(request.url),
      addr: address,
    })
    const rest = { namespace: undefined, metadata: undefined, traceparent: undefined, baggage: undefined }
    client.call({ functionId, data, timeoutMs: config.auth_timeout_ms, ...rest }, (error, result) => {
      waiting--
      resolve(answered(error, error === undefined ? result : undefined))
    })
    return promise
  }

  /** `isFull`: no further client may connect. */
  return (request: Request, address: string, isFull: boolean): Admitted | Promise<Admitted> => {
    if (pathOf(request.url) !== '/') return refuse(404, 'Not found')
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return refuse(405, 'Method not allowed', { allow: 'GET,HEAD' })
    const fault = upgradeFault(request.headers)
    if (fault !== undefined) return refuse(400, fault)
    const origin = request.headers.get('origin')
    if (!anyOrigin && !isAllowedOrigin(origin, config.allowed_origins)) {
      counters.refused++
      tell('a browser was refused: its origin is not allowed', shortened(origin ?? ''), {
        origin: shortened(origin ?? ''),
      })
      return refuse(403, 'Origin not allowed. Add it to allowed_origins of iii-stream.')
    }
    if (isFull || waiting >= limits.streamUpgrades) {
      counters.turnedAway++
      return refuse(503, 'There are too many connections.', { 'retry-after': '1' })
    }
    return authFunction === undefined ? { context: JSON_NULL } : authenticate(authFunction, request, address)
  }
}
