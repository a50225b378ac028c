/**
 * The life of one request. Each stage stands in a file of its own; to the right, how a request ends there.
 *
 *     request
 *        │
 *     receive     headers.ts, fault.ts,   400 BAD_REQUEST · 414 · 431 · 413
 *        │        target.ts
 *     preflight   cors.ts                 200 to an OPTIONS request that asks on behalf of another
 *        │
 *     route       routes.ts               404 · 405 · 400 INVALID_PATH
 *        │                                                       (later: global middleware)
 *     admit       slots.ts                503
 *        │                                                       (later: channels)
 *     body        body.ts                 400 INCOMPLETE_BODY, JSON_TOO_DEEP · 408 · 413 · 503
 *        │
 *     condition   condition.ts, a call    422 · 500 with its error · 503 · 504
 *        │                                                       (later: middleware of the route)
 *     function    a call                  500 with its error · 503 · 504
 *        │
 *     answer      answer.ts               500 INVALID_STATUS · 503 (largeAnswer.ts)   (later: streams)
 *        │
 *     response    ← every exit: failures.ts
 *
 * A client that goes away ends its request at any stage: the wait in line is given up, a call under way is cancelled,
 * the place becomes free. One deadline per request serves the line, the body and the call in turn: see `late`.
 */

import type { WorkerClient } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import { createDeadlines } from '../../src/clock/deadlines.ts'
import type { Log, LogFields } from '../../src/log/log.ts'
import { createBoundedTally, shortened } from '../../src/log/notices.ts'
import { isTimeoutCode } from '../../src/protocol/errors.ts'
import type { ErrorBody } from '../../src/protocol/frames.ts'
import { JSON_NULL, type JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import { createAnswer, type LargeAnswer } from './answer.ts'
import {
  type BodyKind,
  type BodyOutcome,
  bodyKind,
  createBodyRoom,
  NO_ROOM,
  readBody,
  unreadBody,
} from './body.ts'
import { refusalBy } from './condition.ts'
import type { HttpConfig } from './config.ts'
import { createCors, type Heads } from './cors.ts'
import { aboutOf, type Destination, type Exchange, WATCH_AFTER_MS } from './exchange.ts'
import { createFailures, type FailureCode } from './failures.ts'
import { faultOf } from './fault.ts'
import { readHeaders } from './headers.ts'
import { createLargeAnswers } from './largeAnswer.ts'
import { decodeValues, writePayload } from './payload.ts'
import type { RouteTable } from './routes.ts'
import { createSlots } from './slots.ts'
import { readTarget } from './target.ts'

export interface HandlerParts {
  readonly config: HttpConfig
  readonly routes: RouteTable<Destination>
  readonly client: Pick<WorkerClient, 'call'>
  readonly clock: Clock
  readonly log: Log
  /** Resolves when triggers that somebody was told of are bound; absent where they always are. */
  readonly upToDate?: (() => Promise<void>) | undefined
  /** Lets a request of the listener be silent for as long as its answer may take. */
  allowSilence(request: Request, ms: number): void
}

export interface Handler {
  handle(request: Request): Response | Promise<Response>
  /** The answer when `handle` threw. */
  crashed(error: unknown): Response
  /** Requests that hold a place, and requests that wait for one. */
  inWork(): number
  /** Bytes of large answers that their clients have not taken yet. */
  unreadBytes(): number
  waiting(): number
}

/** How late a deadline may be noticed. */
const DEADLINE_RESOLUTION_MS = 50

export function createHandler(parts: HandlerParts): Handler {
  const { config, routes, client, clock, log, upToDate, allowSilence } = parts
  const cors = createCors(config.cors)
  const failures = createFailures(clock, log)
  const bodyLimits = { bytes: config.body_limit_bytes, depth: config.json_depth_limit }
  const slots = createSlots<Exchange>(
    config.concurrency_request_limit,
    config.waiting_request_limit,
    exchange => admitted(exchange),
  )
  const room = createBodyRoom(config.bodies_limit_bytes)
  const notices = createBoundedTally(limits.httpNotices)
  /** Whose answer is being made: one function for the remarks of all answers, a closure each would cost. */
  let answering: Exchange | undefined
  const largeAnswers = createLargeAnswers({
    clock,
    limitBytes: config.answers_limit_bytes,
    deadlineMs: config.write_timeout_ms,
    cut(route, unread_bytes) {
      const count = notices(`cut ${route}`)
      if (count !== undefined)
        log.warn('an http client that does not read its answer was cut', { route, unread_bytes, count })
    },
  })
  const deadlines = createDeadlines<Exchange>(clock, DEADLINE_RESOLUTION_MS, exchange => late(exchange))

  // receive, preflight, route

  function handle(request: Request, isSecondLook = false): Response | Promise<Response> {
    const headers = readHeaders(request.headers)
    const heads = cors.headsFor(headers.origin)
    const { method, url } = request
    const fault = faultOf(url, headers, config)
    if (fault !== undefined) return failures.refuse(heads, ...fault)
    if (method === 'OPTIONS' && headers.origin !== undefined && headers.preflightMethod !== undefined) {
      return cors.preflight(headers.origin)
    }
    const target = readTarget(url)
    if (target === undefined) return failures.refuse(heads, 'BAD_REQUEST', 'The request names no path.')
    const match = routes.match(method, target.path)
    if (match === undefined) {
      if (upToDate === undefined || isSecondLook) return unrouted(heads, target.path)
      return upToDate().then(() => handle(request, true))
    }
    const values = decodeValues(match)
    if (values === undefined) {
      const why = 'The path has a percent escape that is broken or not UTF-8.'
      return failures.refuse(heads, 'INVALID_PATH', why)
    }
    const timeoutMs = match.route.target.timeoutMs ?? config.default_timeout
    return new Promise(resolve =>
      admit({
        request,
        method,
        target,
        headers,
        match,
        values,
        heads,
        timeoutMs,
        endsAt: clock.now() + timeoutMs,
        stage: 'waiting',
        holdsPlace: false,
        bodyBytes: 0,
        cancel: undefined,
        watched: false,
        resolve,
        deadline: 0,
        earlier: undefined,
        later: undefined,
      }),
    )
  }

  function unrouted(heads: Heads, path: string): Response {
    const methods = routes.methodsFor(path)
    if (methods.length === 0) return failures.refuse(heads, 'NOT_FOUND', 'Not Found')
    const allow = methods.join(',')
    return failures.refuse(heads, 'METHOD_NOT_ALLOWED', `This path serves ${allow}.`, undefined, allow)
  }

  // admit

  function admit(exchange: Exchange): void {
    allowSilence(exchange.request, exchange.timeoutMs)
    if (slots.take()) {
      admitted(exchange)
    } else if (slots.wait(exchange)) {
      deadlines.set(exchange, exchange.timeoutMs)
      watch(exchange)
    } else {
      refuse(exchange, 'OVERLOADED', 'Too many requests are waiting; try again later.')
    }
  }

  function admitted(exchange: Exchange): void {
    exchange.holdsPlace = true
    if (exchange.stage === 'over') {
      release(exchange)
      return
    }
    // One deadline for all that follows: most requests are over before it comes. Who has waited has one already.
    if (!exchange.watched) {
      const { endsAt, timeoutMs } = exchange
      deadlines.set(exchange, Math.min(WATCH_AFTER_MS, timeoutMs), endsAt - timeoutMs)
    }
    const kind = bodyKind(exchange.headers)
    if (kind !== undefined) receiveBody(exchange, kind)
    else bodyRead(exchange, JSON_NULL, unreadBody(exchange.headers))
  }

  // body

  function receiveBody(exchange: Exchange, kind: BodyKind): void {
    exchange.stage = 'body'
    const { request, headers } = exchange
    const take = (bytes: number): boolean => exchange.stage === 'body' && room.take(exchange, bytes)
    if (headers.transferEncoding === undefined && !take(Number(headers.contentLength ?? 0))) {
      received(exchange, NO_ROOM)
    } else {
      readBody(request, kind, headers, bodyLimits, take, body => received(exchange, body))
    }
  }

  function received(exchange: Exchange, body: BodyOutcome): void {
    if (exchange.stage !== 'body') return
    if (body.failure === undefined) bodyRead(exchange, body.json, body.remark)
    else refuse(exchange, body.failure, body.message)
  }

  /** `why` it gets nothing, the function cannot see; whoever wrote it looks into the log. */
  function bodyRead(exchange: Exchange, body: JsonText, why: string | undefined): void {
    const content_type = shortened(exchange.headers.contentType ?? '')
    if (why !== undefined) remark(exchange, `http request: ${why}`, { content_type })
    dispatch(exchange, body)
  }

  // condition and function

  function dispatch(exchange: Exchange, body: JsonText): void {
    try {
      const data = writePayload(exchange, body)
      const { condition, conditionFunctionId } = exchange.match.route.target
      const refusal = condition && refusalBy(condition, data)
      if (refusal !== undefined) refuse(exchange, ...refusal)
      else if (conditionFunctionId === undefined) callFunction(exchange, data)
      else askCondition(exchange, conditionFunctionId, data)
    } catch (error) {
      broken(exchange, error)
    }
  }

  function askCondition(exchange: Exchange, functionId: string, data: JsonText): void {
    exchange.stage = 'condition'
    call(exchange, functionId, data, undefined, (_, verdict) => {
      if (verdict !== 'false') callFunction(exchange, data)
      else refuse(exchange, 'CONDITION_NOT_MET', 'Request condition not met')
    })
  }

  function callFunction(exchange: Exchange, data: JsonText): void {
    exchange.stage = 'function'
    const { functionId, metadata } = exchange.match.route.target
    call(exchange, functionId, data, metadata, answer)
    // From here on the payload is on its way to the worker, and counts there.
    room.leave(exchange)
  }

  /** Calls a function of the route; its error ends the exchange. */
  function call(
    exchange: Exchange,
    functionId: string,
    data: JsonText,
    metadata: JsonText | undefined,
    answered: (exchange: Exchange, result: JsonText | undefined) => void,
  ): void {
    const { stage, headers, match, endsAt } = exchange
    const now = clock.now()
    if (exchange.watched) deadlines.clear(exchange)
    else if (exchange.deadline > now + WATCH_AFTER_MS) deadlines.set(exchange, WATCH_AFTER_MS, now)
    exchange.cancel = client.call(
      {
        functionId,
        data,
        namespace: match.route.target.namespace,
        metadata,
        timeoutMs: Math.max(1, endsAt - now),
        traceparent: headers.traceparent,
        baggage: headers.baggage,
      },
      (error, result) => {
        if (exchange.stage !== stage) return
        if (error === undefined) answered(exchange, result)
        else failed(exchange, error)
      },
    )
  }

  /** A function may pass on the time-out of a call it made itself; that one is its error, and comes earlier. */
  function failed(exchange: Exchange, error: ErrorBody): void {
    if (isTimeoutCode(error.code) && clock.now() >= exchange.endsAt) {
      refuse(exchange, 'TIMEOUT', `No answer within ${exchange.timeoutMs} ms.`)
    } else {
      end(exchange, failures.failed(exchange.heads, error, aboutOf(exchange)))
    }
  }

  // answer

  function answer(exchange: Exchange, result: JsonText | undefined): void {
    try {
      answering = exchange
      const response = createAnswer(result, exchange.heads, remarkOnAnswer)
      answering = undefined
      if (response instanceof Response) {
        end(exchange, response)
      } else if ('large' in response) {
        answerLarge(exchange, response)
      } else {
        const why = `The function answered with status ${response.invalidStatus}; 200 to 599 can be sent.`
        refuse(exchange, 'INVALID_STATUS', why)
      }
    } catch (error) {
      // The receiver of a call's answer must not throw into whoever brought the answer.
      broken(exchange, error)
    }
  }

  function answerLarge(exchange: Exchange, { large, init }: LargeAnswer): void {
    const { request, method, match } = exchange
    const response = largeAnswers.send(request, large, init, `${method} ${match.route.pattern}`)
    if (response !== undefined) end(exchange, response)
    else refuse(exchange, 'OVERLOADED', 'Too many large answers wait for their clients; try again later.')
  }

  const remarkOnAnswer = (sentence: string): void =>
    remark(answering!, `answer of an http function changed: ${sentence}`)

  /** What is wrong with one request or answer of a route is wrong with each of them: a few lines say it. */
  function remark(exchange: Exchange, sentence: string, fields: LogFields = {}): void {
    const about = aboutOf(exchange)
    const count = notices(`${about.method} ${about.api_path} ${sentence}`)
    if (count !== undefined) log.warn(sentence, { ...about, ...fields, count })
  }

  // exits

  function refuse(exchange: Exchange, code: FailureCode, message: string): void {
    end(exchange, failures.refuse(exchange.heads, code, message, aboutOf(exchange)))
  }

  function broken(exchange: Exchange, error: unknown): void {
    log.error('an http request could not be handled', { error, ...aboutOf(exchange) })
    refuse(exchange, 'INTERNAL_ERROR', 'internal server error')
  }

  /** A deadline of the exchange has come. The time of a call is kept by whoever runs it. */
  function late(exchange: Exchange): void {
    if (exchange.stage === 'waiting') {
      slots.giveUp(exchange)
      refuse(exchange, 'OVERLOADED', `No place became free within ${exchange.timeoutMs} ms; try again later.`)
    } else if (exchange.stage === 'body') {
      const leftMs = exchange.endsAt - clock.now()
      const why = `The request body did not arrive within ${exchange.timeoutMs} ms.`
      if (leftMs > 0) deadlines.set(exchange, leftMs)
      else refuse(exchange, 'REQUEST_TIMEOUT', why)
    } else {
      watch(exchange)
    }
  }

  function watch(exchange: Exchange): void {
    const { signal } = exchange.request
    exchange.watched = true
    if (signal.aborted) abandoned(exchange)
    else signal.addEventListener('abort', () => abandoned(exchange))
  }

  /** The client has gone. Nobody reads this response; the server only wants to have one. */
  function abandoned(exchange: Exchange): void {
    if (exchange.stage === 'over') return
    slots.giveUp(exchange)
    exchange.cancel?.()
    end(exchange, new Response(null))
  }

  function end(exchange: Exchange, response: Response): void {
    exchange.stage = 'over'
    room.leave(exchange)
    deadlines.clear(exchange)
    release(exchange)
    exchange.resolve(response)
  }

  function release(exchange: Exchange): void {
    if (!exchange.holdsPlace) return
    exchange.holdsPlace = false
    slots.leave()
  }

  return {
    handle: request => handle(request),
    crashed(error) {
      log.error('an http request could not be handled', { error })
      return failures.refuse(cors.headsFor(undefined), 'INTERNAL_ERROR', 'internal server error')
    },
    inWork: slots.taken,
    unreadBytes: largeAnswers.unreadBytes,
    waiting: slots.waiting,
  }
}
