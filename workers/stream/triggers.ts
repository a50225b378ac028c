/** The trigger types of streams: what their configs say, and which triggers an event or a subscription concerns. */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { Binding, TriggerProvider, TriggerTypeDefinition } from '../../sdk/typescript/src/worker.ts'
import type { Condition } from '../../src/delivery/condition.ts'
import type { Deliveries, Subscription as Delivery, DeliveryOptions } from '../../src/delivery/deliveries.ts'
import { deliveryProperties, readDeliveryOptions, unknownKeys } from '../../src/delivery/options.ts'
import { fromJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Group } from './store.ts'

export type TypeName = 'stream' | 'stream:join' | 'stream:leave'

export interface StreamTrigger {
  readonly binding: Binding
  readonly delivery: Delivery
  readonly condition: Condition | undefined
  readonly conditionFunctionId: string | undefined
  readonly timeoutMs: number | undefined
  /** Absent: any. */
  readonly stream: string | undefined
  readonly group: string | undefined
  readonly item: string | undefined
}

export interface Triggers {
  readonly provider: TriggerProvider
  /** Those that a place concerns, in the order in which they were bound. */
  about(place: Group & { readonly item: string | undefined }): StreamTrigger[]
  size(): number
}

const KEYS: Record<TypeName, readonly string[]> = {
  stream: ['stream_name', 'group_id', 'item_id'],
  'stream:join': ['stream_name', 'group_id'],
  'stream:leave': ['stream_name', 'group_id'],
}

type Config = Readonly<Record<string, unknown>>

function refuse(why: string): never {
  throw new HandlerError('trigger_registration_failed', why)
}

function nameIn(config: Config, key: string): string | undefined {
  const value = config[key] ?? undefined
  if (value === undefined) return undefined
  if (typeof value !== 'string') return refuse(`${key} must be a string`)
  return value.length > limits.storedNameLength
    ? refuse(`${key} is longer than ${limits.storedNameLength} characters`)
    : value
}

function readConfig(type: TypeName, binding: Binding): { config: Config; options: DeliveryOptions } {
  const config = fromJsonText(binding.config)
  if (config === null) return { config: {}, options: {} }
  if (typeof config !== 'object' || Array.isArray(config))
    return refuse(`the config of a ${type} trigger must be an object`)
  return { config: config as Config, options: readDeliveryOptions(config as Config) }
}

export function createTriggers(type: TypeName, deliveries: Deliveries): Triggers {
  const byId = new Map<string, StreamTrigger>()
  /** `undefined`: of any stream. */
  const byStream = new Map<string | undefined, Set<StreamTrigger>>()

  function remove(id: string): void {
    const trigger = byId.get(id)
    if (trigger === undefined) return
    byId.delete(id)
    deliveries.remove(id)
    const others = byStream.get(trigger.stream)
    others?.delete(trigger)
    if (others?.size === 0) byStream.delete(trigger.stream)
  }

  return {
    provider: {
      bind(binding) {
        // A trigger that comes again replaces itself, also when its new form is refused.
        remove(binding.id)
        const { config, options } = readConfig(type, binding)
        const stream = nameIn(config, 'stream_name')
        if (type === 'stream' && stream === undefined) refuse('stream_name is required for stream triggers')
        const trigger: StreamTrigger = {
          binding,
          delivery: deliveries.add(binding, options),
          condition: options.condition,
          conditionFunctionId: options.conditionFunctionId,
          timeoutMs: options.timeoutMs,
          stream,
          group: nameIn(config, 'group_id'),
          item: type === 'stream' ? nameIn(config, 'item_id') : undefined,
        }
        byId.set(binding.id, trigger)
        const others = byStream.get(stream)
        if (others === undefined) byStream.set(stream, new Set([trigger]))
        else others.add(trigger)
        return deliveries.remark(binding, unknownKeys(config, KEYS[type]))
      },
      unbind: binding => remove(binding.id),
    },

    about(place) {
      const found: StreamTrigger[] = []
      for (const stream of [place.stream, undefined]) {
        for (const trigger of byStream.get(stream) ?? []) {
          if (trigger.group !== undefined && trigger.group !== place.group) continue
          if (trigger.item !== undefined && trigger.item !== place.item) continue
          found.push(trigger)
        }
      }
      return found
    },
    size: () => byId.size,
  }
}

const name = (what: string) => ({ type: 'string', description: what })
const text = { type: 'string' }
const nullableText = { type: ['string', 'null'] }

const subscriptionFormat = {
  type: 'object',
  properties: {
    subscription_id: text,
    stream_name: text,
    group_id: text,
    id: nullableText,
    context: { description: 'what the auth function said of the client, or null' },
  },
}

function aboutSubscriptions(id: TypeName, description: string): TriggerTypeDefinition {
  return {
    id,
    description,
    trigger_request_format: {
      type: 'object',
      properties: {
        stream_name: name('only of this stream'),
        group_id: name('only of this group'),
        ...deliveryProperties,
      },
    },
    call_request_format: subscriptionFormat,
  }
}

export const definitions: Record<TypeName, TriggerTypeDefinition> = {
  stream: {
    id: 'stream',
    description: 'Calls the function when an item of a stream changes, or something is sent to it',
    trigger_request_format: {
      type: 'object',
      properties: {
        stream_name: name('the stream'),
        group_id: name('only of this group'),
        item_id: name('only of this item'),
        ...deliveryProperties,
      },
      required: ['stream_name'],
    },
    call_request_format: {
      type: 'object',
      properties: {
        type: { const: 'stream' },
        timestamp: { type: 'integer', description: 'milliseconds since 1970' },
        streamName: text,
        groupId: text,
        id: nullableText,
        event: {
          type: 'object',
          properties: { type: { enum: ['create', 'update', 'delete', 'event'] }, data: {}, event: {} },
        },
        seq: { type: 'integer', description: 'grows from event to event' },
      },
    },
  },
  'stream:join': aboutSubscriptions(
    'stream:join',
    'Asks the function whether a client may subscribe; it answers {"unauthorized": true} to refuse',
  ),
  'stream:leave': aboutSubscriptions(
    'stream:leave',
    'Calls the function when a client is not subscribed any more',
  ),
}
