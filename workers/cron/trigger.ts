/** The trigger type `cron`: what its config says, and what is refused. */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { Binding, TriggerTypeDefinition } from '../../sdk/typescript/src/worker.ts'
import type { DeliveryOptions } from '../../src/delivery/deliveries.ts'
import { deliveryProperties, readDeliveryOptions, unknownKeys } from '../../src/delivery/options.ts'
import { fromJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import { parseExpression } from './expression.ts'
import { createPlan, type Plan } from './plan.ts'
import { MISFIRE, type Misfire } from './ticks.ts'
import { UTC, zoneOf } from './zone.ts'

const OVERLAP = ['skip', 'queue', 'parallel', 'cancel_previous'] as const
/** Other engines' word for `parallel`. */
const ALLOW = 'allow'

/** What a trigger asks for. */
export interface Job {
  /** Stable: triggers with the same name are one schedule. */
  readonly name: string
  readonly plan: Plan
  readonly jitterMs: number
  readonly misfire: Misfire
  readonly overlap: (typeof OVERLAP)[number]
  readonly retry: Retry
  readonly delivery: DeliveryOptions
  readonly warnings: readonly string[]
}

export interface Retry {
  /** After the first attempt. */
  readonly max: number
  /** Before the first retry; each further one waits twice as long, up to `limits.cronRetryMs`. */
  readonly backoffMs: number
}

type Config = Readonly<Record<string, unknown>>

const DAY_MS = 86_400_000

const properties = {
  expression: {
    type: 'string',
    description: '5 fields, 6 with seconds, 7 with a year, or a shorthand: @daily',
  },
  schedule: { type: 'string', description: 'the same as expression' },
  timezone: { type: 'string', description: 'name of a time zone: Europe/Berlin; UTC without it' },
  name: { type: 'string', description: 'of the schedule; triggers with the same name fire once together' },
  jitter_ms: {
    type: 'integer',
    minimum: 0,
    maximum: DAY_MS,
    description: 'each tick is put off by up to this',
  },
  misfire: { enum: MISFIRE, description: 'what becomes of instants that were missed' },
  misfire_limit: {
    type: 'integer',
    minimum: 1,
    maximum: limits.cronMissed,
    description: 'made up for at most',
  },
  misfire_max_age_ms: { type: 'integer', minimum: 1, description: 'older ones are not made up for' },
  overlap: { enum: [...OVERLAP, ALLOW], description: 'what becomes of a tick while the function still runs' },
  retry: {
    type: 'object',
    properties: {
      max: { type: 'integer', minimum: 0, maximum: limits.cronRetries },
      backoff_ms: { type: 'integer', minimum: 1, maximum: limits.cronRetryMs },
    },
  },
} as const

function refuse(why: string): never {
  throw new HandlerError('trigger_registration_failed', why)
}

/** Throws a `HandlerError` with the reason when the trigger cannot be bound. `timeoutMs`: that of now, if it does not say its own. */
export function parseCronTrigger(binding: Binding, timeoutMs: () => number, nowMs: number): Job {
  const value = fromJsonText(binding.config)
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  const config = (isObject ? value : {}) as Config
  const plan = planOf(config.expression ?? config.schedule, config.timezone)
  const delivery = readDeliveryOptions(config)
  const warnings = unknownKeys(config, Object.keys(properties))
  if (plan.next(nowMs) === undefined) warnings.unshift('it never fires: no such time is to come')
  const retry = (config.retry ?? {}) as Config
  if (typeof retry !== 'object' || Array.isArray(retry)) refuse('retry must be an object {max, backoff_ms}')
  return {
    name: nameOf(config.name, binding, plan),
    plan,
    jitterMs: wholeIn(config, 'jitter_ms', 0, DAY_MS, 0),
    misfire: {
      policy: choiceIn(config, 'misfire', MISFIRE),
      limit: wholeIn(config, 'misfire_limit', 1, limits.cronMissed, 100),
      maxAgeMs: wholeIn(config, 'misfire_max_age_ms', 1, limits.cronMemoryMs, DAY_MS),
    },
    overlap: config.overlap === ALLOW ? 'parallel' : choiceIn(config, 'overlap', OVERLAP),
    retry: {
      max: wholeIn(retry, 'max', 0, limits.cronRetries, 0),
      backoffMs: wholeIn(retry, 'backoff_ms', 1, limits.cronRetryMs, 1000),
    },
    delivery: {
      ...delivery,
      get timeoutMs() {
        return delivery.timeoutMs ?? timeoutMs()
      },
      waits: true,
    },
    warnings,
  }
}

/** Of a config, or of the input of a function. Throws a `HandlerError`. */
export function planOf(expression: unknown, timezone: unknown): Plan {
  if (typeof expression !== 'string' || expression.trim() === '') return refuse('Cron expression is required')
  const named = timezone ?? UTC.name
  const zone = typeof named === 'string' ? zoneOf(named) : undefined
  if (zone === undefined)
    return refuse(`timezone must be the name of a time zone, like Europe/Berlin, not ${shown(named)}`)
  try {
    return createPlan(parseExpression(expression), zone)
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

/** The same for the same worker code, whenever and how often it registers: ids of triggers are chosen by chance. */
function nameOf(given: unknown, { namespace, function_id, metadata, config }: Binding, plan: Plan): string {
  if (given !== undefined && given !== null) {
    if (typeof given !== 'string' || given.trim() === '' || given.length > limits.nameLength)
      return refuse(`name must be a text of at most ${limits.nameLength} characters`)
    return given
  }
  const { condition, condition_function_id } = fromJsonText(config) as Config
  const more = [metadata, condition, condition_function_id].some(part => part !== undefined && part !== null)
  const told = `${namespace ?? 'default'}/${function_id} ${plan.expression} ${plan.timezone}`
  if (!more) return told
  const differs = Bun.hash(JSON.stringify([metadata, condition, condition_function_id]))
  return `${told} #${differs.toString(36)}`
}

const shown = (value: unknown): string => JSON.stringify(value)?.slice(0, 80) ?? String(value)

function wholeIn(config: Config, key: string, least: number, most: number, usual: number): number {
  const value = config[key] ?? usual
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
    return refuse(`${key} must be a whole number from ${least} to ${most}, not ${shown(value)}`)
  return value
}

/** The first choice is what is meant when nothing is said. */
function choiceIn<const Choice extends string>(
  config: Config,
  key: string,
  choices: readonly [Choice, ...Choice[]],
): Choice {
  const value = config[key] ?? choices[0]
  const found = choices.find(choice => choice === value)
  return found ?? refuse(`${key} must be one of ${choices.join(', ')}, not ${shown(value)}`)
}

export const cronTriggerType: TriggerTypeDefinition = {
  id: 'cron',
  description: 'Calls the function at the times of a cron expression',
  trigger_request_format: {
    type: 'object',
    properties: { ...properties, ...deliveryProperties },
    anyOf: [{ required: ['expression'] }, { required: ['schedule'] }],
  },
  call_request_format: {
    type: 'object',
    properties: {
      trigger: { const: 'cron' },
      job_id: { type: 'string', description: 'id of the trigger' },
      scheduled_time: { type: 'string', description: 'the instant that was meant, RFC 3339' },
      actual_time: { type: 'string', description: 'when it was called' },
      name: { type: 'string' },
      timezone: { type: 'string' },
      attempt: { type: 'integer', description: 'from 1 on' },
      missed: { type: 'integer', description: 'instants before it that it stands for' },
    },
  },
}
