/**
 * How the events of a built-in reach the functions of its triggers.
 *
 *     event ──▶ depth ──▶ expressions ─┬─▶ triggers whose answers nobody needs: one fan-out, the payload written once
 *               too deep: not delivered └─▶ all others: a queue each (`queue.ts`), in order, bounded
 *
 * At most once. What is lost is counted at its trigger. One slow trigger delays no other.
 */
import type { Binding, BuiltInClient } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../clock/clock.ts'
import type { Log } from '../log/log.ts'
import { createBoundedTally, shortened } from '../log/notices.ts'
import type { ErrorBody, Target } from '../protocol/frames.ts'
import type { JsonText } from '../protocol/jsonText.ts'
import { limits as defaultLimits, type Limits } from '../protocol/limits.ts'
import type { Condition } from './condition.ts'
import { type Cause, depthOf, withDepth } from './depth.ts'
import { parseEvent } from './event.ts'
import { createDeliveryQueue, type DeliveryQueue, type Ending } from './queue.ts'

export interface DeliveryOptions {
  /** Called with the event before the target is; `false` says no. In the namespace of the target. */
  readonly conditionFunctionId?: string | undefined
  /** If there are both, both must allow. */
  readonly condition?: Condition | undefined
  /** Events of this trigger in work at once; given, its answers are waited for. */
  readonly concurrency?: number | undefined
  /** Milliseconds for the handler, and for the condition; given, answers are waited for. Default: that of calls. */
  readonly timeoutMs?: number | undefined
  /** Answers are waited for, so that errors of the handler are counted and logged. */
  readonly waits?: boolean | undefined
}

export interface DeliveryCounters {
  /** Handed to the worker; where answers are waited for: answered without an error. */
  delivered: number
  /** The handler or the condition answered with an error, or did not in time. */
  failed: number
  /** Not handed over: no room, no worker, too deep in a chain, unbound meanwhile. */
  dropped: number
  /** A condition said no. */
  skipped: number
  /** Milliseconds since 1970. */
  lastFiredMs: number | undefined
  lastError: string | undefined
}

export interface Subscription {
  readonly id: string
  readonly binding: Binding
  readonly counters: Readonly<DeliveryCounters>
  /** Events that are not over, and their characters; 0 where answers are not waited for. */
  waiting(): { messages: number; bytes: number }
}

export interface DeliveredEvent {
  readonly data: JsonText
  /** Metadata of a delivery; absent: that of the trigger. */
  readonly metadataOf?: (subscription: Subscription) => JsonText | undefined
  /** Told of a subscription that the event could not be handed to after all; never from within `deliver`. */
  readonly lost?: (subscription: Subscription) => void
  /** Told once of each subscription whose answers are waited for how it went; maybe from within `deliver`. */
  readonly over?: (subscription: Subscription, ending: Ending) => void
  /** When it aborts, it is given up where answers are waited for, and its calls are cancelled. */
  readonly signal?: AbortSignal | undefined
  /** Of the call that made the event; a handler's `CallContext` is one. */
  readonly cause?: Cause | undefined
}

export interface Deliveries {
  /** A trigger that comes again replaces itself; its counters go on. */
  add(binding: Binding, options?: DeliveryOptions): Subscription
  remove(id: string): void
  get(id: string): Subscription | undefined
  all(): IterableIterator<Subscription>
  /** Logs what of the config of a trigger is accepted and has no effect, a sentence each; returns them. */
  remark<Sentences extends readonly string[]>(binding: Binding, sentences: Sentences): Sentences
  /** Hands an event to subscriptions, in their order. Returns how many of them took it. */
  deliver(subscriptions: Iterable<Subscription>, event: DeliveredEvent): number
  /** Resolves when nothing waits and all answers that are waited for have come. */
  idle(): Promise<void>
}

export interface DeliveryParts {
  readonly clock: Clock
  readonly log: Log
  readonly limits?: Partial<
    Pick<
      Limits,
      | 'deliveryDepth'
      | 'deliveryQueueMessages'
      | 'deliveryQueueBytes'
      | 'deliveriesInFlight'
      | 'deliveryNotices'
      | 'callTimeoutMs'
    >
  >
}

interface Entry extends Subscription {
  readonly counters: DeliveryCounters
  readonly condition: Condition | undefined
  /** Present: answers are waited for. */
  readonly queue: DeliveryQueue | undefined
  isOver: boolean
}

const newCounters = (): DeliveryCounters => ({
  delivered: 0,
  failed: 0,
  dropped: 0,
  skipped: 0,
  lastFiredMs: undefined,
  lastError: undefined,
})

export function createDeliveries(
  client: BuiltInClient,
  { clock, log, limits: given }: DeliveryParts,
): Deliveries {
  const limits = { ...defaultLimits, ...given }
  const entries = new Map<string, Entry>()
  /** Of subscriptions that are removed, too: their last handlers may still be at work. */
  const busy = new Set<DeliveryQueue>()
  const tally = createBoundedTally(limits.deliveryNotices)
  const remarked = createBoundedTally(limits.deliveryNotices)
  let idleWaiters: (() => void)[] = []

  function tell(binding: Binding, level: 'warn' | 'error', message: string, error: string): void {
    const count = tally(`${shortened(binding.function_id)} ${message}`)
    if (count === undefined) return
    const { id, trigger_type, function_id } = binding
    const about = { trigger_type, trigger_id: shortened(id), function_id: shortened(function_id) }
    log[level](message, { ...about, error: shortened(error, 400), count })
  }

  function failed({ binding, counters }: Pick<Entry, 'binding' | 'counters'>, what: string, error: string) {
    counters.failed++
    counters.lastError = error
    tell(binding, 'warn', what, error)
  }

  function dropped({ binding, counters }: Pick<Entry, 'binding' | 'counters'>, why: string): void {
    counters.dropped++
    counters.lastError = why
    tell(binding, 'warn', 'an event was not delivered', why)
  }

  function queueFor(
    binding: Binding,
    counters: DeliveryCounters,
    options: DeliveryOptions,
  ): DeliveryQueue | undefined {
    const { conditionFunctionId, concurrency, waits } = options
    const needed = [conditionFunctionId, concurrency, options.timeoutMs].some(given => given !== undefined)
    if (!needed && waits !== true) return undefined
    const said = {
      condition: 'the condition of a trigger failed',
      handler: 'the handler of a trigger failed',
    }
    const queue = createDeliveryQueue({
      client,
      functionId: binding.function_id,
      namespace: binding.namespace,
      conditionFunctionId,
      concurrency: Math.min(concurrency ?? limits.deliveriesInFlight, limits.deliveriesInFlight),
      get timeoutMs() {
        return options.timeoutMs ?? limits.callTimeoutMs
      },
      maxMessages: limits.deliveryQueueMessages,
      maxBytes: limits.deliveryQueueBytes,
      outcome: {
        delivered() {
          counters.delivered++
          lookIfIdle(queue)
        },
        skipped() {
          counters.skipped++
          lookIfIdle(queue)
        },
        failed(error: ErrorBody, of) {
          failed({ binding, counters }, said[of], `${error.code}: ${error.message}`)
          lookIfIdle(queue)
        },
        cancelled() {
          counters.failed++
          counters.lastError = 'given up: another one has come'
          lookIfIdle(queue)
        },
      },
    })
    return queue
  }

  /** Told before the event has left its queue. */
  function lookIfIdle(queue: DeliveryQueue): void {
    queueMicrotask(() => {
      if (queue.size() > 0) return
      busy.delete(queue)
      if (busy.size > 0) return
      const waiters = idleWaiters
      idleWaiters = []
      for (const waiter of waiters) waiter()
    })
  }

  function end(entry: Entry): void {
    entry.isOver = true
    const left = entry.queue?.clear() ?? 0
    if (left > 0) {
      entry.counters.dropped += left
      lookIfIdle(entry.queue!)
    }
  }

  /** Absent: it does not stand in the way. */
  function refusalOf(entry: Entry, event: () => unknown): Ending | undefined {
    if (entry.condition === undefined) return undefined
    const verdict = entry.condition.holds(event())
    if (verdict === 'run') return undefined
    if (verdict === 'skip') {
      entry.counters.skipped++
      return { kind: 'skipped' }
    }
    failed(entry, 'the condition of a trigger failed', verdict.error)
    const error = { code: 'CONDITION_FAILED', message: verdict.error }
    return { kind: 'failed', of: 'condition', error }
  }

  function tellAll(
    told: readonly Entry[],
    targets: readonly Target[],
    data: JsonText,
    cause: Cause,
    tellLost: DeliveredEvent['lost'],
  ): void {
    for (const { counters } of told) counters.delivered++
    const lost = (index: number, code: string): void => {
      const entry = told[index]!
      entry.counters.delivered--
      dropped(entry, code)
      tellLost?.(entry)
    }
    if (client.tellAll(targets, data, { ...cause, lost })) return
    for (const { counters } of told) {
      counters.delivered--
      counters.dropped++
      counters.lastError = 'the engine stops'
    }
  }

  return {
    add(binding, options = {}) {
      const known = entries.get(binding.id)
      if (known !== undefined) end(known)
      const counters = known?.counters ?? newCounters()
      const queue = queueFor(binding, counters, options)
      const entry: Entry = {
        id: binding.id,
        binding,
        counters,
        condition: options.condition,
        queue,
        isOver: false,
        waiting: () => ({ messages: queue?.size() ?? 0, bytes: queue?.bytes() ?? 0 }),
      }
      entries.set(binding.id, entry)
      return entry
    },

    remove(id) {
      const entry = entries.get(id)
      if (entry === undefined) return
      entries.delete(id)
      end(entry)
    },

    remark({ id, trigger_type, function_id }, sentences) {
      const about = { trigger_id: shortened(id), function_id: shortened(function_id) }
      for (const sentence of sentences) {
        const message = `${trigger_type} trigger: ${sentence}`
        // A worker may register the same again and again, and so may many: of equal lines few are written.
        const count = remarked(`${about.function_id} ${message}`)
        if (count !== undefined) log.warn(message, { ...about, count })
      }
      return sentences
    },

    get: id => entries.get(id),
    all: () => entries.values(),

    deliver(subscriptions, { data, metadataOf, cause, lost, over, signal }) {
      const depth = depthOf(cause?.baggage) + 1
      const isTooDeep = depth > limits.deliveryDepth
      const goesOn: Cause = { traceparent: cause?.traceparent, baggage: withDepth(cause?.baggage, depth) }
      const now = clock.now()
      let parsed: { value: unknown } | undefined
      const event = (): unknown => {
        parsed ??= { value: parseEvent(data) }
        return parsed.value
      }
      const told: Entry[] = []
      const targets: Target[] = []
      let count = 0
      for (const entry of subscriptions as Iterable<Entry>) {
        const { binding, counters, queue } = entry
        const tellOver = over && queue ? (ending: Ending) => over(entry, ending) : undefined
        if (entry.isOver) {
          tellOver?.({ kind: 'dropped', why: 'the trigger is gone' })
          continue
        }
        if (isTooDeep) {
          counters.dropped++
          const why =
            `the event is number ${depth} in a chain of events that cause each other, ${limits.deliveryDepth} are the most: ` +
            'does a handler cause the event that it handles?'
          counters.lastError = why
          tell(binding, 'error', 'an event was not delivered: too deep in a chain', why)
          tellOver?.({ kind: 'dropped', why })
          continue
        }
        const refusal = refusalOf(entry, event)
        if (refusal !== undefined) {
          tellOver?.(refusal)
          continue
        }
        counters.lastFiredMs = now
        const metadata = metadataOf === undefined ? binding.metadata : metadataOf(entry)
        if (queue === undefined) {
          count++
          told.push(entry)
          targets.push({ functionId: binding.function_id, namespace: binding.namespace, metadata })
        } else if (queue.push(data, metadata, goesOn, { over: tellOver, signal })) {
          count++
          busy.add(queue)
        } else {
          const why = `${queue.size()} events wait for it already`
          dropped(entry, why)
          tellOver?.({ kind: 'dropped', why })
        }
      }
      if (targets.length > 0) tellAll(told, targets, data, goesOn, lost)
      return count
    },

    idle() {
      if (busy.size === 0) return Promise.resolve()
      return new Promise(resolve => idleWaiters.push(resolve))
    },
  }
}
