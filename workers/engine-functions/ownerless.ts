/** `engine::register_trigger` and `engine::unregister_trigger`: bindings that no connection owns. */
import { z } from 'zod'
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import { blankNamespace } from '../../src/protocol/errors.ts'
import { toJsonText } from '../../src/protocol/jsonText.ts'
import { readInput } from '../zodInput.ts'
import type { Catalogue } from './catalogue.ts'
import { invalidArguments, optionalText } from './input.ts'

export const REGISTER = 'engine::register_trigger'
export const UNREGISTER = 'engine::unregister_trigger'

export const registerInput = z.object({
  id: optionalText('a chosen id; the same again replaces the trigger'),
  trigger_type: z.string().min(1).describe('as http'),
  function_id: z.string().min(1).describe('the function to run'),
  config: z.unknown().optional().describe('what the trigger type wants to know'),
  metadata: z.unknown().optional().describe('kept and shown'),
  namespace: optionalText('of the function'),
  trigger_namespace: optionalText('of the trigger type'),
})
export const unregisterInput = z.object({
  id: optionalText('the trigger'),
  trigger_type: optionalText('not looked at'),
})

function requireNotBlank(name: string, value: string | null | undefined): void {
  if (value?.trim() !== '') return
  const { code, message } = blankNamespace(name)
  throw new HandlerError(code, message)
}

export async function registerOwnerless(
  catalogue: Catalogue,
  newId: () => string,
  input: unknown,
): Promise<{ id: string }> {
  const read = readInput(REGISTER, registerInput, input)
  requireNotBlank('namespace', read.namespace)
  requireNotBlank('trigger_namespace', read.trigger_namespace)
  const id = read.id || newId()
  const refusal = await catalogue.registerOwnerless({
    id,
    triggerType: read.trigger_type,
    functionId: read.function_id,
    config: toJsonText(read.config ?? {}),
    metadata: read.metadata === undefined || read.metadata === null ? undefined : toJsonText(read.metadata),
    namespace: read.namespace ?? undefined,
    triggerNamespace: read.trigger_namespace ?? undefined,
  })
  if (refusal !== undefined) {
    throw new HandlerError('trigger_registration_failed', `${refusal.code}: ${refusal.message}`)
  }
  return { id }
}

export function unregisterOwnerless(catalogue: Catalogue, input: unknown): { removed: boolean } {
  const { id } = readInput(UNREGISTER, unregisterInput, input)
  if (!id) throw invalidArguments('missing field `id`')
  return { removed: catalogue.unregisterTrigger(id) }
}
