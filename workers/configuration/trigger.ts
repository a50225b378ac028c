/** The trigger type `configuration`: what a trigger wants to hear of, and what it is told. */
import { z } from 'zod'
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { TriggerTypeDefinition } from '../../sdk/typescript/src/worker.ts'
import type { DeliveryOptions } from '../../src/delivery/deliveries.ts'
import { deliveryProperties, readDeliveryOptions, unknownKeys } from '../../src/delivery/options.ts'
import { shortened } from '../../src/log/notices.ts'
import { fromJsonText, type JsonText, toJsonText } from '../../src/protocol/jsonText.ts'
import type { ConfigurationEvent, EventType } from './entry.ts'
import type { Reading } from './reading.ts'

export interface Watch {
  /** `undefined`: all. */
  readonly configurationId: string | undefined
  /** `undefined`: all. */
  readonly eventTypes: ReadonlySet<string> | undefined
  readonly delivery: DeliveryOptions
  /** Accepted and of no effect; one sentence each. */
  readonly remarks: readonly string[]
}

const watchSchema = z.object({
  configuration_id: z.string().nullish(),
  event_types: z.array(z.string()).nullish(),
})

const KNOWN: readonly string[] = Object.keys(watchSchema.shape)
const EVENT_TYPES: readonly string[] = [
  'configuration:registered',
  'configuration:updated',
  'configuration:deleted',
] satisfies EventType[]

/** Unknown names that are mentioned one by one. */
const TOLD = 5

function refuse(reason: string): never {
  throw new HandlerError(
    'trigger_registration_failed',
    `Failed to parse configuration trigger config: ${shortened(reason, 400)}`,
  )
}

function readDelivery(config: Readonly<Record<string, unknown>>): DeliveryOptions {
  try {
    return readDeliveryOptions(config)
  } catch (error) {
    if (error instanceof HandlerError) return refuse(error.message)
    throw error
  }
}

/** Throws a `HandlerError` with the reason when the trigger cannot be bound. */
export function parseWatch(text: JsonText): Watch {
  const config = fromJsonText(text)
  const result = watchSchema.safeParse(config)
  if (!result.success) {
    const [issue] = result.error.issues
    const key = issue?.path.join('.') ?? ''
    return refuse(`${key === '' ? '' : `${key}: `}${issue?.message ?? 'unreadable'}`)
  }
  const { configuration_id, event_types } = result.data
  const names = (event_types ?? []).filter(name => !EVENT_TYPES.includes(name))
  return {
    configurationId: configuration_id ?? undefined,
    eventTypes: event_types ? new Set(event_types) : undefined,
    delivery: readDelivery(config as Readonly<Record<string, unknown>>),
    remarks: [
      ...unknownKeys(config as Readonly<Record<string, unknown>>, KNOWN),
      ...names.slice(0, TOLD).map(name => `there is no event '${shortened(name)}'; it never fires`),
    ],
  }
}

export function wants(watch: Watch, { type, entry }: ConfigurationEvent): boolean {
  if (watch.configurationId !== undefined && watch.configurationId !== entry.id) return false
  return watch.eventTypes?.has(type) ?? true
}

/** What functions are called with. Secrets are masked in it, for everybody: who may see them gets them by `configuration::get`. */
export function payloadOf(
  { type, entry, oldValue, newValue }: ConfigurationEvent,
  reading: Reading,
): JsonText {
  const { id, name, description, schema, metadata, revision } = entry
  return toJsonText({
    type: 'configuration',
    event_type: type,
    id,
    name,
    description,
    schema: schema ?? null,
    old_value: reading.masked(entry, oldValue),
    new_value: reading.masked(entry, newValue),
    ...(metadata === undefined ? {} : { metadata }),
    revision,
  })
}

export const configurationTriggerType: TriggerTypeDefinition = {
  id: 'configuration',
  description: 'Calls the function when a configuration is registered, updated or deleted',
  trigger_request_format: {
    type: 'object',
    properties: {
      configuration_id: { type: 'string', description: 'only of this one' },
      event_types: { type: 'array', items: { type: 'string', enum: EVENT_TYPES }, description: 'only these' },
      ...deliveryProperties,
    },
  },
  call_request_format: {
    type: 'object',
    properties: {
      type: { const: 'configuration' },
      event_type: { type: 'string', enum: EVENT_TYPES },
      id: { type: 'string' },
      name: { type: 'string' },
      description: { type: 'string' },
      schema: {},
      old_value: { description: 'expanded; secrets are ***' },
      new_value: { description: 'expanded; secrets are ***' },
      metadata: {},
      revision: { type: 'integer' },
    },
  },
}
