/** The provider's side of a trigger type: bind, unbind, and the answer the engine expects. */
import type {
  ErrorBody,
  Frame,
  RegisterTriggerFrame,
  UnregisterTriggerFrame,
} from '../../../src/protocol/frames.ts'
import { HandlerError, InvocationError } from './errors.ts'
import type { Registrations } from './registrations.ts'
import type { Binding } from './worker.ts'

function refusalOf(thrown: unknown): ErrorBody {
  if (thrown instanceof HandlerError) return { code: thrown.code, message: thrown.message }
  if (thrown instanceof InvocationError) return { code: thrown.code, message: thrown.detail }
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return { code: 'trigger_registration_failed', message }
}

export function bindTrigger(
  registrations: Registrations,
  frame: RegisterTriggerFrame,
  send: (frame: Frame) => void,
): void {
  const { id, triggerType, functionId } = frame
  const answer = (error: ErrorBody | undefined): void =>
    send({ type: 'triggerregistrationresult', id, triggerType, functionId, error })
  const provider = registrations.providerOf(triggerType)
  if (provider === undefined) {
    answer({ code: 'trigger_type_not_found', message: 'Trigger type not found' })
    return
  }
  const binding: Binding = {
    id,
    trigger_type: triggerType,
    function_id: functionId,
    config: frame.config,
    metadata: frame.metadata,
    namespace: frame.namespace,
  }
  registrations.bound.set(id, binding)
  const refuse = (error: unknown): void => {
    if (registrations.bound.get(id) === binding) registrations.bound.delete(id)
    answer(refusalOf(error))
  }
  try {
    const done = provider.bind(binding)
    if (done instanceof Promise) done.then(() => answer(undefined), refuse)
    else answer(undefined)
  } catch (error) {
    refuse(error)
  }
}

export function unbindTrigger(
  registrations: Registrations,
  frame: UnregisterTriggerFrame,
  warn: (error: Error) => void,
): void {
  const binding = registrations.bound.get(frame.id)
  if (binding === undefined) return
  registrations.bound.delete(frame.id)
  const failed = (error: unknown): void =>
    warn(error instanceof Error ? error : new Error(`unbind of trigger ${frame.id} failed: ${error}`))
  try {
    const done = registrations.providerOf(binding.trigger_type)?.unbind(binding)
    if (done instanceof Promise) done.catch(failed)
  } catch (error) {
    failed(error)
  }
}
