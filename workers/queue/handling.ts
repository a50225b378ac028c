/**
 * What becomes of a message that a consumer has: its condition is asked, its function is called, and the answer ends the lease.
 */
import type { BuiltInClient } from '../../sdk/typescript/src/worker.ts'
import type { Condition } from '../../src/delivery/condition.ts'
import { parseEvent } from '../../src/delivery/event.ts'
import type { ErrorBody } from '../../src/protocol/frames.ts'
import { asJsonText, type JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Lane } from '../../src/storage/queue/message.ts'
import { CorruptData } from '../../src/storage/storageError.ts'
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
  readonly writeMetadata: (leases: readonly Lease[]) => JsonText
  /** Calls that it has, or has asked for. */
  running: number
  isOver: boolean
}

/** What a consumer has in one call: a message, or several. `state`: of its lane, for who is told of it. */
export interface Work<State> {
  readonly state: State
  readonly consumer: Consumer
  readonly leases: readonly Lease[]
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

/** The call that leases are for now. */
interface Call<State> {
  readonly work: Work<State>
  readonly cancel: () => void
  /** Leases that are not over. */
  left: number
}

const listOf = (leases: readonly Lease[]): JsonText =>
  asJsonText(`[${leases.map(({ message }) => message.data).join(',')}]`)

export function createHandling<State>(parts: HandlingParts<State>): Handling<State> {
  const { client, backend, functions, wallClock } = parts
  /** By the token of the lease. */
  const calls = new Map<string, Call<State>>()

  function over(work: Work<State>): void {
    for (const { token } of work.leases) calls.delete(token)
    parts.over(work)
  }

  function written(work: Work<State>, outcome: Promise<Outcome>): void {
    outcome.catch(error => {
      // One message is damaged. It comes again after a time, and the others need not wait for it.
      if (error instanceof CorruptData) return
      // It will be handed out again: not before there is hope that its end can be written.
      parts.rest(work, 'no_capacity', limits.storageRetryMs)
    })
  }

  function deliver(given: Work<State>): void {
    const work = meant(given)
    if (work.leases.length === 0) {
      parts.over(given)
      return
    }
    const { conditionFunctionId } = work.consumer
    if (conditionFunctionId === undefined) run(work)
    else ask(work, conditionFunctionId)
  }

  /** Those for which the expression holds; the others end here. */
  function meant(work: Work<State>): Work<State> {
    const { condition, functionId } = work.consumer
    if (condition === undefined) return work
    const leases = work.leases.filter(lease => {
      const verdict = condition.holds(parseEvent(lease.message.data))
      if (verdict === 'run') return true
      if (verdict === 'skip') written(work, backend.finish(lease.token, undefined, 'soon'))
      else end(work, lease, { code: 'CONDITION_FAILED', message: verdict.error }, functionId)
      return false
    })
    return { ...work, leases }
  }

  function done(work: Work<State>, result: JsonText | undefined): void {
    for (const { token } of work.leases) written(work, backend.finish(token, result, 'soon'))
    over(work)
  }

  function ask(work: Work<State>, functionId: string): void {
    call(work, functionId, undefined, (error, result) => {
      if (error !== undefined) failed(work, error, functionId)
      else if (result === 'false') done(work, undefined)
      else run(work)
    })
  }

  function run(work: Work<State>): void {
    const { consumer, leases } = work
    const { functionId } = consumer
    call(work, functionId, consumer.writeMetadata(leases), (error, result) => {
      if (error === undefined) done(work, result)
      else failed(work, error, functionId)
    })
  }

  function call(
    work: Work<State>,
    functionId: string,
    metadata: JsonText | undefined,
    answered: (error: ErrorBody | undefined, result: JsonText | undefined) => void,
  ): void {
    const { leases, consumer } = work
    const { message } = leases[0]!
    const isBatch = consumer.tuning.batch !== undefined
    const cancel = client.call(
      {
        functionId,
        data: isBatch ? listOf(leases) : message.data,
        namespace: consumer.namespace,
        metadata,
        // The lease ends it, and it may be extended.
        timeoutMs: limits.callAgeMs,
        traceparent: message.traceparent,
        baggage: message.baggage,
      },
      (error, result) => {
        if (made.left > 0) answered(error, result)
      },
    )
    const made: Call<State> = { work, cancel, left: leases.length }
    for (const lease of leases) calls.set(lease.token, made)
  }

  function failed(work: Work<State>, error: ErrorBody, functionId: string): void {
    for (const lease of work.leases) end(work, lease, error, functionId)
    over(work)
  }

  function end(work: Work<State>, { token }: Lease, error: ErrorBody, functionId: string): void {
    const { namespace, tuning } = work.consumer
    const meaning = meaningOf(error, functionId)
    const report = reportOf(error, wallClock(), functions.find(namespace, functionId))
    if (meaning === 'lost') written(work, backend.lose(token, report))
    else if (meaning === 'failed' || (meaning === 'missing' && tuning.missing === 'fail'))
      written(work, backend.fail(token, { report }))
    else {
      if (meaning === 'missing') parts.rest(work, 'no_worker', limits.queueMissingMs)
      // An engine that ends says so again at once, whoever asks it.
      if (meaning === 'busy' || meaning === 'stopping') parts.rest(work, 'no_capacity', limits.queueRetryMs)
      void backend.giveBack(token)
    }
  }

  return {
    deliver,
    expired({ token }) {
      const call = calls.get(token)
      if (call === undefined) return
      calls.delete(token)
      if (--call.left > 0) return
      call.cancel()
      over(call.work)
    },
  }
}
