/**
 * The provider's answer to a bind (`docs/protocol/json.md#the-answer-of-a-provider`).
 *
 *     bound       ──▶ it holds this one
 *     refused     ──▶ of a built-in: gone; else parked, and tried again when the type is registered anew
 *     kept        ──▶ refused, because the one it holds under this id stays: that one is in the directory again
 *
 * The same id may have been asked for several times before the first answer comes; answers come in the order of the questions.
 */
import { countIn, shortened } from '../../log/notices.ts'
import type { ErrorBody } from '../../protocol/frames.ts'
import { append, type Change, note, warnIn } from './changes.ts'
import type { BindingRecord, WorkerRecord } from './records.ts'
import { bind, enter, forget, park, type TriggerTable } from './triggers.ts'

export function providerAnswered(
  table: TriggerTable,
  workers: ReadonlyMap<string, WorkerRecord>,
  providerId: string,
  bindingId: string,
  error: ErrorBody | undefined,
  remarks: readonly string[],
): Change[] {
  const binding = table.bindings.get(bindingId)
  if (binding === undefined)
    return [note('debug', 'answer for an unknown trigger ignored', { trigger_id: shortened(bindingId) })]
  if (binding.providerId !== providerId) {
    const said = 'answer for a trigger from a worker that does not provide its type ignored'
    const fields = { trigger_id: bindingId, worker_id: providerId }
    const tally = workers.get(providerId)?.warnings
    return tally === undefined ? [] : warnIn(tally, 'stray answer', said, fields)
  }
  const asked = binding.asked.shift() ?? binding
  asked.remarks = error === undefined ? remarks : []
  // Its provider has the line in the log.
  for (const _ of asked.remarks) countIn(asked.warnings, 'accepted in part')
  if (error === undefined) {
    binding.held = asked
    asked.refusedBy = undefined
    return asked.ownerId === undefined
      ? [{ change: 'ownerlessAnswered', id: asked.id, error: undefined }]
      : []
  }
  if (error.kept === true) return kept(table, workers, binding, asked, error)
  const changes: Change[] = []
  binding.held = undefined
  if (asked === binding) {
    if (workers.get(providerId)?.builtIn === true) forget(table, workers, binding)
    else {
      binding.refusedBy = providerId
      append(changes, park(binding, `refused by its provider: ${shortened(error.code)}`))
    }
  }
  changes.push(refusalOf(asked, error))
  return changes
}

function refusalOf({ id, triggerType, functionId, ownerId }: BindingRecord, error: ErrorBody): Change {
  const { kept: _, ...told } = error
  return ownerId === undefined
    ? { change: 'ownerlessAnswered', id, error: told }
    : { change: 'triggerRefused', workerId: ownerId, id, triggerType, functionId, error: told }
}

/** The one that the provider holds stays, as long as somebody has it. */
function kept(
  table: TriggerTable,
  workers: ReadonlyMap<string, WorkerRecord>,
  binding: BindingRecord,
  asked: BindingRecord,
  error: ErrorBody,
): Change[] {
  // Whatever comes after it is asked for already.
  if (asked !== binding) return [refusalOf(asked, error)]
  const { held } = binding
  if (held === binding) return [refusalOf(asked, error)]
  if (held !== undefined && (held.ownerId === undefined || workers.has(held.ownerId))) {
    forget(table, workers, binding)
    held.asked = binding.asked
    held.held = held
    enter(table, workers, held)
    return [refusalOf(asked, error)]
  }
  // Its owner has left meanwhile, or nobody here knows of it: it goes, and this one is asked for once more.
  const providerId = binding.providerId!
  const unbound: Change = { change: 'unbind', providerId, binding }
  if (binding.refusedBy === providerId) {
    forget(table, workers, binding)
    return [unbound, refusalOf(asked, error)]
  }
  binding.refusedBy = providerId
  binding.held = undefined
  return [unbound, bind(binding, providerId)]
}
