/**
 * What becomes of a message that a consumer has: its condition is asked, its function is called, and the answer ends the lease.
 */
import type { BuiltInClient } from '../../sdk/typescript/src/worker.ts'
import type { Condition } from '../../src/delivery/condition.ts'
import { parseEvent } from '../../src/delivery/event.ts'
import type { ErrorBody } from '../../src/protocol/frames.ts'
import type { JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Lane } from '../../src/storage/queue/message.ts'
import type { Outcome, QueueBackend } from './backend.ts'
import type { Lease, Parking } from './core/lease.ts'
import { meaningOf, reportOf } from './ending.ts'
import type { Functions } from './functionWatch.ts'
import type { Tuning } from './tuning.ts'

export interface ConsumerOptions {
  /** Of the trigger; one that comes again replaces itself. */
  readonly id: string
  readonly lane: Lane
  readonly functionId: string
  readonly namespace: string | undefined
  readonly tuning: Tuning
  readonly metadata?: JsonText | undefined
  readonly condition?: Condition | undefined
  readonly conditionFunctionId?: string | undefined
  /** Its messages count against the concurrency of the queue. */
  readonly hasPlace: boolean
}

export interface Consumer extends ConsumerOptions {
  readonly writeMetadata: (lease: Lease) => JsonText
  /** Messages that it has, or has asked for. */
  running: number
  isOver: boolean
}

/** A message that a consumer has. `state`: of its lane, for who is told of it. */
export interface Work<State> {
  readonly state: State
  readonly consumer: Consumer
  readonly lease: Lease
}

export interface HandlingParts<State> {
  readonly client: Pick<BuiltInClient, 'call'>
  readonly backend: QueueBackend
  readonly functions: Functions
  readonly wallClock: () => number
  /** It is not with its consumer any more. */
  readonly over: (work: Work<State>) => void
  /** Its lane is to be left alone for so many milliseconds. */
  readonly rest: (work: Work<State>, parking: Parking, ms: number) => void
}

export interface Handling<State> {
  deliver(work: Work<State>): void
  /** The lease of a call is over: it is given up. */
  expired(lease: Lease): void
}

/** The call that a lease is for now. */
interface Call<State> {
  readonly work: Work<State>
  readonly cancel: () => void
}

export function createHandling<State>(parts: HandlingParts<State>): Handling<State> {
  const { client, backend, functions, wallClock } = parts
  /** By the token of the lease. */
  const calls = new Map<string, Call<State>>()

  function over(work: Work<State>): void {
    calls.delete(work.lease.token)
    parts.over(work)
  }

  function written(work: Work<State>, outcome: Promise<Outcome>): void {
    // It will be handed out again: not before there is hope that its end can be written.
    outcome.catch(() => parts.rest(work, 'no_capacity', limits.storageRetryMs))
  }

  function deliver(work: Work<State>): void {
    const { condition, conditionFunctionId, functionId } = work.consumer
    if (condition !== undefined) {
      const verdict = condition.holds(parseEvent(work.lease.message.data))
      if (verdict === 'skip') {
        done(work)
        return
      }
      if (verdict !== 'run') {
        failed(work, { code: 'CONDITION_FAILED', message: verdict.error }, functionId)
        return
      }
    }
    if (conditionFunctionId === undefined) run(work)
    else ask(work, conditionFunctionId)
  }

  function done(work: Work<State>): void {
    written(work, backend.finish(work.lease.token))
    over(work)
  }

  function ask(work: Work<State>, functionId: string): void {
    call(work, functionId, undefined, (error, result) => {
      if (error !== undefined) failed(work, error, functionId)
      else if (result === 'false') done(work)
      else run(work)
    })
  }

  function run(work: Work<State>): void {
    const { consumer, lease } = work
    const { functionId } = consumer
    call(work, functionId, consumer.writeMetadata(lease), error => {
      if (error === undefined) done(work)
      else failed(work, error, functionId)
    })
  }

  function call(
    work: Work<State>,
    functionId: string,
    metadata: JsonText | undefined,
    answered: (error: ErrorBody | undefined, result: JsonText | undefined) => void,
  ): void {
    const { token, message } = work.lease
    const cancel = client.call(
      {
        functionId,
        data: message.data,
        namespace: work.consumer.namespace,
        metadata,
        // The lease ends it, and it may be extended.
        timeoutMs: limits.callAgeMs,
        traceparent: message.traceparent,
        baggage: message.baggage,
      },
      (error, result) => {
        if (calls.get(token) === made) answered(error, result)
      },
    )
    const made: Call<State> = { work, cancel }
    calls.set(token, made)
  }

  function failed(work: Work<State>, error: ErrorBody, functionId: string): void {
    const { namespace, tuning } = work.consumer
    const { token } = work.lease
    const meaning = meaningOf(error, functionId)
    const report = reportOf(error, wallClock(), functions.find(namespace, functionId))
    if (meaning === 'lost') written(work, backend.lose(token, report))
    else if (meaning === 'failed' || (meaning === 'missing' && tuning.missing === 'fail'))
      written(work, backend.fail(token, { report }))
    else {
      if (meaning === 'missing') parts.rest(work, 'no_worker', limits.queueMissingMs)
      if (meaning === 'busy') parts.rest(work, 'no_capacity', limits.queueRetryMs)
      void backend.giveBack(token)
    }
    over(work)
  }

  return {
    deliver,
    expired({ token }) {
      const call = calls.get(token)
      if (call === undefined) return
      call.cancel()
      over(call.work)
    },
  }
}
