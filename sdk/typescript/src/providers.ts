/** The provider's side of a trigger type: bind, unbind, and the answer the engine expects. */
import type {
  ErrorBody,
  Frame,
  RegisterTriggerFrame,
  UnregisterTriggerFrame,
} from '../../../src/protocol/frames.ts'
import { errorBodyOf, textOf } from './errors.ts'
import type { Registrations } from './registrations.ts'
import { isThenable } from './thenable.ts'
import type { Binding } from './worker.ts'

export function bindTrigger(
  registrations: Registrations,
  frame: RegisterTriggerFrame,
  send: (frame: Frame) => void,
): void {
  const { id, triggerType, functionId } = frame
  const answer = (error: ErrorBody | undefined, warnings?: readonly string[]): void =>
    send({
      type: 'triggerregistrationresult',
      id,
      triggerType,
      functionId,
      error,
      ...(warnings === undefined || warnings.length === 0 ? {} : { warnings }),
    })
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
  const before = registrations.bound.get(id)
  registrations.bound.set(id, binding)
  const refuse = (error: unknown): void => {
    const refusal = errorBodyOf(error, 'trigger_registration_failed')
    if (registrations.bound.get(id) === binding) {
      if (refusal.kept === true && before !== undefined) registrations.bound.set(id, before)
      else registrations.bound.delete(id)
    }
    answer(refusal)
  }
  try {
    const done = provider.bind(binding)
    if (isThenable(done)) done.then(() => answer(undefined), refuse)
    else answer(undefined, done ?? undefined)
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
    warn(error instanceof Error ? error : new Error(`unbind of trigger ${frame.id} failed: ${textOf(error)}`))
  try {
    const done = registrations.providerOf(binding.trigger_type)?.unbind(binding)
    if (isThenable(done)) done.then(undefined, failed)
  } catch (error) {
    failed(error)
  }
}
