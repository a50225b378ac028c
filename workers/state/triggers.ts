/** Triggers of type `state`: functions that are called when a value is written (`docs/state.md#triggers`). */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { Binding, BuiltInClient } from '../../sdk/typescript/src/worker.ts'
import type { Deliveries, Subscription } from '../../src/delivery/deliveries.ts'
import { parseEvent } from '../../src/delivery/event.ts'
import { deliveryProperties, readDeliveryOptions, unknownKeys } from '../../src/delivery/options.ts'
import { fromJsonText } from '../../src/protocol/jsonText.ts'
import { eventText } from './answers.ts'
import type { StateChange } from './store.ts'

const KEYS = ['scope', 'key', 'only_changes', 'durable']

/** Which values a trigger is about; absent: any. */
interface Target {
  readonly scope: string | undefined
  readonly key: string | undefined
}

interface Bound {
  readonly target: string
  readonly subscription: Subscription
  readonly onlyChanges: boolean
}

export interface StateTriggers {
  /** Changes in the order in which they happened. */
  fire(changes: readonly StateChange[]): void
}

function refuse(why: string): never {
  throw new HandlerError('trigger_registration_failed', why)
}

function readConfig({ config }: Binding): Readonly<Record<string, unknown>> {
  const read = fromJsonText(config)
  if (read === null) return {}
  if (typeof read !== 'object' || Array.isArray(read)) return refuse('the config must be an object')
  return read as Record<string, unknown>
}

function readText(config: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = Object.hasOwn(config, name) ? (config[name] ?? undefined) : undefined
  return value === undefined || typeof value === 'string' ? value : refuse(`${name} must be a text`)
}

function readFlag(config: Readonly<Record<string, unknown>>, name: string): boolean {
  const value = config[name] ?? false
  return typeof value === 'boolean' ? value : refuse(`${name} must be true or false`)
}

/** Triggers are found by it. */
function nameOf({ scope, key }: Target): string {
  return JSON.stringify([scope ?? null, key ?? null])
}

/** The same value, however it is written. */
function isSame({ oldValue, newValue }: StateChange): boolean {
  if (oldValue === newValue) return true
  if (oldValue === undefined || newValue === undefined) return false
  return Bun.deepEquals(parseEvent(oldValue), parseEvent(newValue), true)
}

export function provideTriggers(
  client: BuiltInClient,
  deliveries: Deliveries,
  isEnabled: boolean,
): StateTriggers {
  const byTarget = new Map<string, Map<string, Bound>>()
  const byId = new Map<string, Bound>()

  function remove(id: string): void {
    const bound = byId.get(id)
    if (bound === undefined) return
    byId.delete(id)
    const others = byTarget.get(bound.target)
    others?.delete(id)
    if (others?.size === 0) byTarget.delete(bound.target)
    deliveries.remove(id)
  }

  client.registerTriggerType(
    {
      id: 'state',
      description: 'Fires when a value of the state is written or removed',
      trigger_request_format: {
        type: 'object',
        properties: {
          scope: { type: 'string', description: 'only this scope' },
          key: { type: 'string', description: 'only this key' },
          only_changes: { type: 'boolean', description: 'not if the value is the same as before' },
          ...deliveryProperties,
        },
      },
      call_request_format: {
        type: 'object',
        properties: {
          type: { const: 'state' },
          event_type: { enum: ['state:created', 'state:updated', 'state:deleted'] },
          scope: { type: 'string' },
          key: { type: 'string' },
          old_value: {},
          new_value: {},
          reason: { enum: ['expired'], description: 'why a value was removed that nobody has removed' },
        },
      },
    },
    {
      bind(binding) {
        // A trigger that comes again replaces itself, also when its new form is refused.
        remove(binding.id)
        const config = readConfig(binding)
        const target = nameOf({ scope: readText(config, 'scope'), key: readText(config, 'key') })
        const onlyChanges = readFlag(config, 'only_changes')
        if (readFlag(config, 'durable')) {
          refuse('durable: true comes with queues, which are not part of this version yet; leave it out')
        }
        const options = readDeliveryOptions(config, { lookIn: 'new_value' })
        const bound = { target, subscription: deliveries.add(binding, options), onlyChanges }
        byId.set(binding.id, bound)
        const others = byTarget.get(target)
        if (others === undefined) byTarget.set(target, new Map([[binding.id, bound]]))
        else others.set(binding.id, bound)
        const remarks = unknownKeys(config, KEYS)
        return deliveries.remark(
          binding,
          isEnabled ? remarks : [...remarks, 'triggers of the state are switched off (triggers_enabled)'],
        )
      },
      unbind: ({ id }) => remove(id),
    },
  )

  function audienceOf(change: StateChange): Subscription[] {
    const { scope, key } = change
    const audience: Subscription[] = []
    let same: boolean | undefined
    for (const target of [
      { scope, key },
      { scope, key: undefined },
      { scope: undefined, key },
      { scope: undefined, key: undefined },
    ]) {
      for (const { subscription, onlyChanges } of byTarget.get(nameOf(target))?.values() ?? []) {
        if (onlyChanges) same ??= isSame(change)
        if (!onlyChanges || same === false) audience.push(subscription)
      }
    }
    return audience
  }

  return {
    fire(changes) {
      if (!isEnabled || byId.size === 0) return
      for (const change of changes) {
        const audience = audienceOf(change)
        if (audience.length > 0) {
          deliveries.deliver(audience, { data: eventText(change), cause: change.cause })
        }
      }
    },
  }
}
