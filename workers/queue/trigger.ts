/** The trigger types `durable:subscriber` and `queue`: what their configs say, and what is refused. */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { Binding, TriggerTypeDefinition } from '../../sdk/typescript/src/worker.ts'
import type { DeliveryOptions } from '../../src/delivery/deliveries.ts'
import { deliveryProperties, readDeliveryOptions, unknownKeys } from '../../src/delivery/options.ts'
import { nearestName } from '../../src/log/nearest.ts'
import { shortened } from '../../src/log/notices.ts'
import { fromJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import { type Ordering, perKeyOf, type Tuning } from './tuning.ts'

/** What a trigger asks for. */
export interface QueueTrigger {
  /** `''`: nothing was named. */
  readonly source: string
  readonly delivery: DeliveryOptions
  /** What it does not say itself is as usual; that may change. */
  readonly orderingOver: (usual: Pick<Usual, 'isFifo'>) => Ordering
  readonly tuningOver: (usual: Tuning) => Tuning
  readonly delayMs: number
  readonly warnings: readonly string[]
}

/** Where a trigger does not say its own. */
export interface Usual {
  readonly tuning: Tuning
  readonly isFifo: boolean
}

type Config = Readonly<Record<string, unknown>>

const BACKOFFS = ['fixed', 'linear', 'exponential'] as const

const tuningProperties = {
  type: { enum: ['standard', 'concurrent', 'fifo'], description: 'fifo: in order' },
  messageGroupField: {
    type: 'string',
    description: 'member of the data; messages with the same value are in order',
  },
  maxRetries: { type: 'integer', minimum: 0, description: 'attempts after the first' },
  concurrency: { type: 'integer', minimum: 1, maximum: limits.deliveriesInFlight },
  concurrencyKeyField: { type: 'string', description: 'member of the data that is the key of a message' },
  concurrencyPerKey: {
    type: 'integer',
    minimum: 1,
    maximum: limits.deliveriesInFlight,
    description: 'messages of one key at once; 1 without it',
  },
  backoffDelayMs: { type: 'integer', minimum: 0, description: 'milliseconds after the first failure' },
  backoffType: { enum: BACKOFFS },
  maxBackoffMs: { type: 'integer', minimum: 0 },
  jitter: { type: 'number', minimum: 0, maximum: 1, description: 'share of a back-off left to chance' },
  visibilityTimeout: { type: 'integer', minimum: 1, description: 'milliseconds of a lease' },
  leaseMs: { type: 'integer', minimum: 1, description: 'the same as visibilityTimeout' },
  delaySeconds: { type: 'number', minimum: 0, description: 'of every message' },
  priorityField: { type: 'string', description: 'member of the data that holds the priority' },
  maxPriority: { type: 'integer', minimum: 1, maximum: 255 },
  batchSize: {
    type: 'integer',
    minimum: 1,
    maximum: limits.queueBatch,
    description: 'messages in one call, whose data is a list then',
  },
  missingFunction: { enum: ['park', 'fail'], description: 'while nobody answers the function' },
} as const

const properties = {
  topic: { type: 'string', description: 'the topic' },
  queue: { type: 'string', description: 'a named queue, or a topic' },
  source: { type: 'string', description: 'the same as queue' },
  queue_config: { type: 'object', properties: tuningProperties },
} as const

function refuse(why: string): never {
  throw new HandlerError('trigger_registration_failed', why)
}

const shown = (value: unknown): string => JSON.stringify(value)?.slice(0, 80) ?? String(value)

function number(
  config: Config,
  key: string,
  least: number,
  most: number,
  isWhole = true,
): number | undefined {
  const value = config[key] ?? undefined
  if (value === undefined) return undefined
  if (typeof value === 'number' && value >= least && value <= most && (!isWhole || Number.isInteger(value)))
    return value
  return refuse(`queue_config.${key} must be a number from ${least} to ${most}, not ${shown(value)}`)
}

function choice<const Choice extends string>(
  config: Config,
  key: string,
  choices: readonly Choice[],
): Choice | undefined {
  const value = config[key] ?? undefined
  const found = choices.find(one => one === value)
  return value === undefined || found !== undefined
    ? found
    : refuse(`queue_config.${key} must be one of ${choices.join(', ')}, not ${shown(value)}`)
}

function text(config: Config, key: string): string | undefined {
  const value = config[key] ?? undefined
  if (value === undefined || typeof value === 'string') return value
  return refuse(`${key} must be a text, not ${shown(value)}`)
}

/** `max_retries` is as good as `maxRetries`. */
function camelCased(config: Config): Config {
  const entries = Object.entries(config)
  return Object.fromEntries(
    entries.map(([key, value]) => [key.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()), value]),
  )
}

/** Throws a `HandlerError` with the reason when the trigger cannot be bound. `usualOf`: of what the trigger names. */
export function parseQueueTrigger(binding: Binding, usualOf: (source: string) => Tuning): QueueTrigger {
  const value = fromJsonText(binding.config)
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  const config = (isObject ? value : {}) as Config
  const given = config.queue_config ?? {}
  if (typeof given !== 'object' || Array.isArray(given)) refuse('queue_config must be an object')
  const own = camelCased(given as Config)
  const warnings = unknownKeys(config, Object.keys(properties))
  const known = Object.keys(tuningProperties)
  for (const key of Object.keys(own)) {
    if (known.includes(key)) continue
    const nearest = nearestName(key, known)
    const advice = nearest === undefined ? '' : `; did you mean '${nearest}'?`
    warnings.push(`unknown key 'queue_config.${shortened(key)}' has no effect${advice}`)
  }
  const names = binding.trigger_type === 'queue' ? ['queue', 'source', 'topic'] : ['topic', 'queue', 'source']
  const source = names.map(name => text(config, name)).find(name => name !== undefined) ?? ''
  if (source === '') warnings.unshift('it names no topic, so that it never fires')
  if (source.length > limits.topicLength)
    refuse(`the topic has ${source.length} characters, the most are ${limits.topicLength}`)
  const delivery = readDeliveryOptions(config)
  if (own.batchSize !== undefined && delivery.conditionFunctionId !== undefined)
    refuse(
      'a function is asked about one message, so that batchSize and condition_function_id exclude each other',
    )
  const keyField = text(own, 'concurrencyKeyField')
  const keyMost = number(own, 'concurrencyPerKey', 1, limits.deliveriesInFlight)
  if (keyField === undefined && keyMost !== undefined && usualOf(source).perKey === undefined)
    refuse('queue_config.concurrencyPerKey needs concurrencyKeyField: the member of the data that is the key')
  const maxRetries = number(own, 'maxRetries', 0, Number.MAX_SAFE_INTEGER)
  const type = choice(own, 'type', ['standard', 'concurrent', 'fifo'])
  const ordering = {
    groupField: text(own, 'messageGroupField'),
    priorityField: text(own, 'priorityField'),
    maxPriority: number(own, 'maxPriority', 1, 255),
  }
  const concurrency = delivery.concurrency ?? number(own, 'concurrency', 1, limits.deliveriesInFlight)
  const leaseMs =
    number(own, 'leaseMs', 1, limits.callAgeMs) ??
    number(own, 'visibilityTimeout', 1, limits.callAgeMs) ??
    delivery.timeoutMs
  const batch = number(own, 'batchSize', 1, limits.queueBatch)
  const missing = choice(own, 'missingFunction', ['park', 'fail'])
  const maxAttempts = maxRetries === undefined ? undefined : maxRetries + 1
  const backoff = {
    type: choice(own, 'backoffType', BACKOFFS),
    baseMs: number(own, 'backoffDelayMs', 0, Number.MAX_SAFE_INTEGER),
    maxMs: number(own, 'maxBackoffMs', 0, Number.MAX_SAFE_INTEGER),
    jitter: number(own, 'jitter', 0, 1, false),
  }
  return {
    source,
    delivery,
    delayMs: 1000 * (number(own, 'delaySeconds', 0, Number.MAX_SAFE_INTEGER / 1000, false) ?? 0),
    orderingOver: ({ isFifo }) => ({ ...ordering, isFifo: type === undefined ? isFifo : type === 'fifo' }),
    tuningOver: ({ retry, ...usual }) => ({
      concurrency: concurrency ?? usual.concurrency,
      leaseMs: leaseMs ?? usual.leaseMs,
      batch,
      perKey: perKeyOf(keyField ?? usual.perKey?.field, keyMost ?? usual.perKey?.most),
      missing: missing ?? usual.missing,
      retry: {
        maxAttempts: maxAttempts ?? retry.maxAttempts,
        backoff: {
          type: backoff.type ?? retry.backoff.type,
          baseMs: backoff.baseMs ?? retry.backoff.baseMs,
          maxMs: backoff.maxMs ?? retry.backoff.maxMs,
          jitter: backoff.jitter ?? retry.backoff.jitter,
        },
      },
    }),
    warnings,
  }
}

const called = { description: 'the data of the message' }

export const subscriberType: TriggerTypeDefinition = {
  id: 'durable:subscriber',
  description: 'Calls the function with every message of a durable topic, until it has succeeded',
  trigger_request_format: {
    type: 'object',
    properties: { ...properties, ...deliveryProperties },
    required: ['topic'],
  },
  call_request_format: called,
}

export const queueType: TriggerTypeDefinition = {
  id: 'queue',
  description: 'Calls the function with every message of a named queue that names no function, or of a topic',
  trigger_request_format: { type: 'object', properties: { ...properties, ...deliveryProperties } },
  call_request_format: called,
}
