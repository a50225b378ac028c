/** The trigger type `subscribe`: what its config says, and what is refused. */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { TriggerTypeDefinition } from '../../sdk/typescript/src/worker.ts'
import type { DeliveryOptions } from '../../src/delivery/deliveries.ts'
import { deliveryProperties, readDeliveryOptions, unknownKeys } from '../../src/delivery/options.ts'
import { fromJsonText, type JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import { wildcardParts } from './topics.ts'

export interface SubscribeTrigger {
  /** `undefined`: none that could match, the trigger never fires. */
  readonly pattern: string | undefined
  /** Of its members one gets each message. */
  readonly group: string | undefined
  readonly delivery: DeliveryOptions
  /** Accepted and of no effect; one sentence each. */
  readonly warnings: readonly string[]
}

const KNOWN_KEYS: readonly string[] = ['topic', 'group']

function refuse(why: string): never {
  throw new HandlerError('trigger_registration_failed', why)
}

/** Throws a `HandlerError` with the reason when the trigger cannot be bound. A topic that is none is only warned of. */
export function parseSubscribeTrigger(text: JsonText, separators: string): SubscribeTrigger {
  const value = fromJsonText(text)
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  const config = (isObject ? value : {}) as Readonly<Record<string, unknown>>
  const { topic, group } = config
  const delivery = readDeliveryOptions(config)
  const warnings = unknownKeys(config, KNOWN_KEYS)
  if (typeof topic === 'string' && topic.length > limits.topicLength)
    return refuse(`topic is longer than ${limits.topicLength} characters`)
  const parts = typeof topic === 'string' ? wildcardParts(topic, separators) : 0
  if (parts > limits.patternParts)
    return refuse(`topic is a pattern of ${parts} parts, the most are ${limits.patternParts}`)
  const isTopic = typeof topic === 'string' && topic !== ''
  if (!isTopic) warnings.unshift('it never fires: topic must be a text that is not empty')
  return {
    pattern: isTopic ? topic : undefined,
    group: readGroup(group),
    delivery,
    warnings,
  }
}

function readGroup(group: unknown): string | undefined {
  if (group === undefined || group === null) return undefined
  if (typeof group !== 'string' || group.trim() === '' || group.length > limits.nameLength)
    return refuse(`group must be a name of at most ${limits.nameLength} characters`)
  return group
}

export const subscribeTriggerType: TriggerTypeDefinition = {
  id: 'subscribe',
  description: 'Calls the function with every message that is published to a topic',
  trigger_request_format: {
    type: 'object',
    properties: {
      topic: { type: 'string', description: 'a topic, or a pattern: orders.*, orders.>' },
      group: { type: 'string', description: 'of the triggers with the same group one gets each message' },
      ...deliveryProperties,
    },
    required: ['topic'],
  },
  call_request_format: { description: 'the `data` of the message, as it was published' },
}
