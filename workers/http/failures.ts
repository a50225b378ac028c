/**
 * Answers the http worker gives in place of a function:
 *
 *     {"error":{"code":"NOT_FOUND","message":"Not Found"}}
 *
 * With a status of 500 or more comes an `error_id`, which stands in the log line of the failure too.
 */
import type { Clock } from '../../src/clock/clock.ts'
import type { Log } from '../../src/log/log.ts'
import { type ErrorCode, errorCatalogue } from '../../src/protocol/errors.ts'
import type { ErrorBody } from '../../src/protocol/frames.ts'
import type { Heads } from './cors.ts'

/** Every code of the http worker's own. Errors of functions keep their code and get 500. */
export type FailureCode = {
  [Code in ErrorCode]: (typeof errorCatalogue)[Code] extends { readonly status: number } ? Code : never
}[ErrorCode]

/** After these the connection is closed: what follows on it may be the rest of a body, or something smuggled in. */
const CLOSING: ReadonlySet<FailureCode> = new Set([
  'BAD_REQUEST',
  'INCOMPLETE_BODY',
  'REQUEST_TIMEOUT',
  'PAYLOAD_TOO_LARGE',
  'URI_TOO_LONG',
  'HEADERS_TOO_LARGE',
])

/** Errors the engine gives in place of a function, for which a status says more than 500. */
const OVERLOADED: ErrorCode = 'worker_overloaded'

/** Seconds after which a refused client may try again. */
const RETRY_AFTER = '1'

/** What a log line says about the request; `undefined` before a route was found. */
export interface FailedRoute {
  readonly method: string
  /** Of the trigger. */
  readonly api_path: string
  readonly function_id: string
}

export interface Failures {
  /** `allow`: value of the header of a 405. */
  refuse(heads: Heads, code: FailureCode, message: string, about?: FailedRoute, allow?: string): Response
  /** The condition or the function failed with an error of its own: 500; or the engine could not reach its worker: 503. */
  failed(heads: Heads, error: ErrorBody, about: FailedRoute): Response
}

export function createFailures(clock: Clock, log: Log): Failures {
  let last = 0

  /** 12 hex digits: sixteenths of a millisecond since 1970, counted on where the clock stands still. */
  function createErrorId(): string {
    last = Math.max(last + 1, clock.now() * 16)
    return last.toString(16).padStart(12, '0')
  }

  function write(
    heads: Heads,
    status: number,
    error: { code: string; message: string },
    about: FailedRoute | undefined,
    advice = '',
  ): Response {
    const body: Record<string, unknown> = { error }
    if (status >= 500) {
      const error_id = createErrorId()
      body.error = { code: error.code, message: error.message, error_id }
      const report = status === 503 ? log.debug : log.warn
      report(`http request failed: ${error.code}: ${error.message}${advice}`, { error_id, status, ...about })
    }
    if (error.code === 'CONDITION_NOT_MET' && status === 422) body.skipped = true
    return new Response(JSON.stringify(body), { status, headers: heads.json })
  }

  return {
    refuse(heads, code, message, about, allow) {
      const response = write(heads, errorCatalogue[code].status, { code, message }, about)
      if (CLOSING.has(code)) response.headers.set('connection', 'close')
      if (code === 'OVERLOADED') response.headers.set('retry-after', RETRY_AFTER)
      if (allow !== undefined) response.headers.set('allow', allow)
      return response
    },
    failed(heads, { code, message, nearest }, about) {
      const isOverloaded = code === OVERLOADED
      // What else is registered is nobody's business out there.
      const advice = nearest === undefined ? '' : `; did you mean '${nearest}'?`
      const response = write(heads, isOverloaded ? 503 : 500, { code, message }, about, advice)
      if (isOverloaded) response.headers.set('retry-after', RETRY_AFTER)
      return response
    },
  }
}
