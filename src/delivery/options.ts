/** The keys that every trigger of an event takes: who decides whether its function runs, how many at once, how long. */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import { nearestName } from '../log/nearest.ts'
import { shortened } from '../log/notices.ts'
import { limits } from '../protocol/limits.ts'
import { type ConditionOptions, compileCondition } from './condition.ts'
import type { DeliveryOptions } from './deliveries.ts'

/** As properties of a JSON schema, for discovery. */
export const deliveryProperties = {
  condition_function_id: {
    type: 'string',
    description: 'called with the event before the function; the function is not called if it returns false',
  },
  condition: {
    type: 'string',
    description: 'an expression over the event; the function is called only if it holds',
  },
  concurrency: {
    type: 'integer',
    minimum: 1,
    maximum: limits.deliveriesInFlight,
    description: 'events that the function has at once',
  },
  timeout_ms: {
    type: 'integer',
    minimum: 1,
    maximum: limits.callAgeMs,
    description: 'milliseconds for the function',
  },
} as const

type Config = Readonly<Record<string, unknown>>

function refuse(why: string): never {
  throw new HandlerError('trigger_registration_failed', why)
}

/** Reads them out of the config of a trigger; `null` is as good as absent. Throws a `HandlerError` that refuses the trigger. */
export function readDeliveryOptions(config: Config, options: ConditionOptions = {}): DeliveryOptions {
  const conditionFunctionId = config.condition_function_id ?? undefined
  if (conditionFunctionId !== undefined) {
    if (typeof conditionFunctionId !== 'string' || conditionFunctionId.trim() === '')
      return refuse('condition_function_id must be the id of a function')
    if (conditionFunctionId.length > limits.nameLength)
      return refuse(`condition_function_id is longer than ${limits.nameLength} characters`)
  }
  const expression = config.condition ?? undefined
  return {
    conditionFunctionId,
    condition: expression === undefined ? undefined : compileCondition(expression, options),
    concurrency: readNumber(config, 'concurrency', limits.deliveriesInFlight),
    timeoutMs: readNumber(config, 'timeout_ms', limits.callAgeMs),
  }
}

function readNumber(config: Config, key: string, most: number): number | undefined {
  const value = config[key] ?? undefined
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > most)
    return refuse(`${key} must be a whole number from 1 to ${most}`)
  return value
}

/** Keys of a config that nobody knows, as sentences with the nearest known one, for discovery and the log. */
export function unknownKeys(config: Config, known: readonly string[]): string[] {
  const unknown = Object.keys(config).filter(
    key => !known.includes(key) && !Object.hasOwn(deliveryProperties, key),
  )
  const told = unknown.slice(0, 5).map(key => {
    const nearest = nearestName(key, [...known, ...Object.keys(deliveryProperties)])
    const advice = nearest === undefined ? '' : `; did you mean '${nearest}'?`
    return `unknown config key '${shortened(key)}' has no effect${advice}`
  })
  return unknown.length > told.length ? [...told, `${unknown.length - told.length} more unknown keys`] : told
}
