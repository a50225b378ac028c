/** What a client has registered, kept so that it can be sent again on every connection. */
import type {
  Frame,
  RegisterFunctionFrame,
  RegisterTriggerFrame,
  RegisterTriggerTypeFrame,
} from '../../../src/protocol/frames.ts'
import { type JsonText, toJsonText } from '../../../src/protocol/jsonText.ts'
import type {
  Binding,
  FunctionOptions,
  Handler,
  Registration,
  TriggerDefinition,
  TriggerProvider,
  TriggerTypeDefinition,
} from './worker.ts'

export interface RegisteredFunction {
  readonly handler: Handler
  readonly rawInput: boolean
  readonly frame: RegisterFunctionFrame
}

export interface Registrations {
  /** Bindings of this client's trigger types, by id. */
  readonly bound: Map<string, Binding>
  addFunction(id: string, handler: Handler, options: FunctionOptions): Registration
  addTriggerType(definition: TriggerTypeDefinition, provider: TriggerProvider): Registration
  addTrigger(definition: TriggerDefinition): Registration & { readonly id: string }
  functionOf(functionId: string): RegisteredFunction | undefined
  providerOf(triggerType: string): TriggerProvider | undefined
  /** Trigger types first, then functions, then triggers. */
  sendAll(): void
}

function optional(value: unknown): JsonText | undefined {
  return value === undefined || value === null ? undefined : toJsonText(value)
}

function requireId(id: string, what: string): void {
  if (typeof id !== 'string' || id.trim() === '')
    throw new TypeError(`a ${what} needs an id that is not blank`)
}

export function createRegistrations(
  namespace: string | undefined,
  newId: () => string,
  send: (frame: Frame) => void,
): Registrations {
  const functions = new Map<string, RegisteredFunction>()
  const types = new Map<string, { provider: TriggerProvider; frame: RegisterTriggerTypeFrame }>()
  const triggers = new Map<string, RegisterTriggerFrame>()

  return {
    bound: new Map(),

    addFunction(id, handler, options) {
      requireId(id, 'function')
      if (functions.has(id)) throw new Error(`function '${id}' is registered already; unregister it first`)
      const frame: RegisterFunctionFrame = {
        type: 'registerfunction',
        id,
        description: options.description,
        requestFormat: optional(options.request_format),
        responseFormat: optional(options.response_format),
        metadata: optional(options.metadata),
        invocation: undefined,
      }
      const entry = { handler, rawInput: options.rawInput === true, frame }
      functions.set(id, entry)
      send(frame)
      return {
        unregister() {
          if (functions.get(id) !== entry) return
          functions.delete(id)
          send({ type: 'unregisterfunction', id })
        },
      }
    },

    addTriggerType(definition, provider) {
      requireId(definition.id, 'trigger type')
      const frame: RegisterTriggerTypeFrame = {
        type: 'registertriggertype',
        id: definition.id,
        description: definition.description,
        triggerRequestFormat: optional(definition.trigger_request_format),
        callRequestFormat: optional(definition.call_request_format),
        namespace: definition.namespace,
      }
      const entry = { provider, frame }
      types.set(definition.id, entry)
      send(frame)
      return {
        unregister() {
          if (types.get(definition.id) !== entry) return
          types.delete(definition.id)
          send({ type: 'unregistertriggertype', id: definition.id, namespace: definition.namespace })
        },
      }
    },

    addTrigger(definition) {
      requireId(definition.type, 'trigger')
      requireId(definition.function_id, 'trigger')
      const id = definition.id ?? newId()
      const frame: RegisterTriggerFrame = {
        type: 'registertrigger',
        id,
        triggerType: definition.type,
        functionId: definition.function_id,
        config: toJsonText(definition.config ?? {}),
        metadata: optional(definition.metadata),
        namespace: definition.namespace ?? namespace,
        triggerNamespace: definition.trigger_namespace,
      }
      triggers.set(id, frame)
      send(frame)
      return {
        id,
        unregister() {
          if (triggers.get(id) !== frame) return
          triggers.delete(id)
          send({ type: 'unregistertrigger', id, triggerType: definition.type })
        },
      }
    },

    functionOf: functionId => functions.get(functionId),
    providerOf: triggerType => types.get(triggerType)?.provider,

    sendAll() {
      for (const { frame } of types.values()) send(frame)
      for (const { frame } of functions.values()) send(frame)
      for (const frame of triggers.values()) send(frame)
    },
  }
}
