/** The trigger type `http`: what its config says, and what is refused. */

import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { TriggerTypeDefinition } from '../../sdk/typescript/src/worker.ts'
import { type Condition, compileCondition } from '../../src/delivery/condition.ts'
import { shortened } from '../../src/log/notices.ts'
import { fromJsonText, type JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import { parsePattern, type Segment } from './pattern.ts'
import { SERVED_METHODS, type ServedMethod } from './routes.ts'

export interface HttpTrigger {
  /** As written in the config. */
  readonly pattern: string
  readonly segments: readonly Segment[]
  readonly methods: readonly (ServedMethod | '*')[]
  readonly conditionFunctionId: string | undefined
  readonly condition: Condition | undefined
  /** Milliseconds. */
  readonly timeoutMs: number | undefined
  /** Accepted and of no effect; one sentence each. */
  readonly warnings: readonly string[]
}

const KNOWN_KEYS: readonly string[] = [
  'api_path',
  'path',
  'http_method',
  'method',
  'condition_function_id',
  'timeout_ms',
  'middleware_function_ids',
  'condition',
]

/** Sentences of one kind about one trigger. */
const TOLD = 5

type Config = Readonly<Record<string, unknown>>

function refuse(why: string): never {
  throw new HandlerError('trigger_registration_failed', why)
}

/** Throws a `HandlerError` with the reason when the trigger cannot be bound. */
export function parseHttpTrigger(text: JsonText): HttpTrigger {
  const config = fromJsonText(text)
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    return refuse('api_path is required for http triggers')
  }
  const fields = config as Config
  refuseUnsupported(fields)
  const path = eitherSpelling(fields, 'api_path', 'path')
  if (path === undefined) return refuse('api_path is required for http triggers')
  if (typeof path !== 'string') return refuse('api_path must be a string')
  const parsed = parsePattern(path)
  if (!parsed.ok) return refuse(parsed.problem)
  const condition = fields.condition ?? undefined
  const { methods, unserved } = readMethods(eitherSpelling(fields, 'http_method', 'method') ?? 'GET')
  return {
    pattern: path,
    segments: parsed.segments,
    methods,
    conditionFunctionId: optionalString(fields, 'condition_function_id'),
    condition: condition === undefined ? undefined : compileCondition(condition),
    timeoutMs: readTimeout(fields.timeout_ms),
    warnings: [
      ...aFewOf(unserved, name => `method ${name} is not served; served are ${SERVED_METHODS.join(', ')}`),
      ...aFewOf(
        Object.keys(fields).filter(key => !KNOWN_KEYS.includes(key)),
        name => `unknown key ${name} in the config was ignored`,
      ),
    ],
  }
}

/** One sentence each for the first names; a config may hold any number of them, of any length. */
function aFewOf(names: readonly string[], sentence: (quoted: string) => string): string[] {
  const told = names.slice(0, TOLD).map(name => sentence(`'${shortened(name)}'`))
  return names.length > TOLD ? [...told, `there are ${names.length - TOLD} more like that`] : told
}

/** Whoever names one of these relies on it to keep requests out; ignoring it would let them in. */
function refuseUnsupported(config: Config): void {
  const middleware = config.middleware_function_ids
  if (
    middleware !== undefined &&
    middleware !== null &&
    !(Array.isArray(middleware) && middleware.length === 0)
  ) {
    refuse(
      'middleware_function_ids is not supported yet; remove it, and let the function check the request itself',
    )
  }
}

function eitherSpelling(config: Config, name: string, alias: string): unknown {
  const first = config[name] ?? undefined
  const second = config[alias] ?? undefined
  if (first !== undefined && second !== undefined && JSON.stringify(first) !== JSON.stringify(second)) {
    refuse(`${name} and ${alias} say the same thing and have different values; remove one of them`)
  }
  return first ?? second
}

function readMethods(value: unknown): { methods: (ServedMethod | '*')[]; unserved: string[] } {
  const list: unknown[] = Array.isArray(value) ? value : [value]
  if (list.length === 0) refuse('http_method must name at least one method')
  const methods = new Set<ServedMethod | '*'>()
  const unserved: string[] = []
  for (const each of list) {
    if (typeof each !== 'string') return refuse('http_method must be a method, a list of methods, or *')
    const method = each.trim().toUpperCase()
    if (method === '*' || isServed(method)) methods.add(method)
    else unserved.push(each)
  }
  return { methods: methods.has('*') ? ['*'] : [...methods], unserved }
}

function isServed(method: string): method is ServedMethod {
  return (SERVED_METHODS as readonly string[]).includes(method)
}

function optionalString(config: Config, key: string): string | undefined {
  const value = config[key] ?? undefined
  if (value === undefined) return undefined
  return typeof value === 'string' && value !== ''
    ? value
    : refuse(`${key} must be a string that is not empty`)
}

function readTimeout(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  const valid =
    typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= limits.callAgeMs
  return valid
    ? value
    : refuse(`timeout_ms must be a whole number of milliseconds from 1 to ${limits.callAgeMs}`)
}

const method = { type: 'string', description: `one of ${SERVED_METHODS.join(', ')}, or * for all of them` }
const text = { type: 'string' }
const textMap = { type: 'object', additionalProperties: text }
const listMap = { type: 'object', additionalProperties: { type: 'array', items: text } }

export const httpTriggerType: TriggerTypeDefinition = {
  id: 'http',
  description: 'Calls the function when an HTTP request for a path arrives, and answers with what it returns',
  trigger_request_format: {
    type: 'object',
    properties: {
      api_path: { ...text, description: 'path with :name, {name}, {*rest} or *rest; alias: path' },
      http_method: {
        anyOf: [method, { type: 'array', items: method, minItems: 1 }],
        default: 'GET',
        description: 'alias: method',
      },
      condition_function_id: { ...text, description: 'the function runs unless this one returns false' },
      condition: { ...text, description: 'an expression over the payload; the function runs if it holds' },
      timeout_ms: { type: 'integer', minimum: 1, description: 'instead of the default of the worker' },
    },
    required: ['api_path'],
  },
  call_request_format: {
    type: 'object',
    properties: {
      path_params: textMap,
      query_params: textMap,
      headers: textMap,
      path: { ...text, description: 'the path of the trigger, not that of the request' },
      method: text,
      trigger: { type: 'object', properties: { type: { const: 'http' }, path: text, method: text } },
      body: { description: 'the JSON body, else null' },
      requested_path: text,
      url: text,
      raw_query: text,
      raw_path_params: { ...textMap, description: 'path_params before percent decoding' },
      query_multi: { ...listMap, description: 'only keys that were given more than once' },
      headers_multi: { ...listMap, description: 'only headers that are lists of more than one value' },
    },
  },
}
