/**
 * Triggers whose function nobody has registered: a mistyped id is accepted, because its worker may come later, and would
 * be noticed at the first request only. So a moment after a trigger was bound its function is looked for, and the log
 * says when it is not there.
 *
 *     bound ──▶ young ──a moment──▶ old ──a moment──▶ looked at, once
 */
import { shortened } from '../log/notices.ts'
import { startAdvice, unstartedBuiltIn } from '../protocol/builtInIds.ts'
import { warnIn } from './directory/changes.ts'
import { type BindingRecord, DEFAULT_NAMESPACE } from './directory/records.ts'
import type { HostState } from './registry.ts'

/** Lines about triggers of one owner, before they become few. */
const SPARED_LINES = 10

/** Ownerless triggers stand under this. */
const NOBODY = ''

type ByOwner = Map<string, Set<BindingRecord>>

export function watchTargets(engine: HostState): void {
  const { clock, directory, limits, routes } = engine
  let young: ByOwner = new Map()
  let old: ByOwner = new Map()
  let cancel: (() => void) | undefined

  function look(): void {
    for (const bindings of old.values()) for (const binding of bindings) complainIfMissing(binding)
    old = young
    young = new Map()
    cancel = old.size === 0 ? undefined : clock.after(limits.targetLookMs, look)
  }

  function complainIfMissing(binding: BindingRecord): void {
    const { id, namespace, functionId } = binding
    const isBound = directory.triggers.bindings.get(id) === binding && binding.providerId !== undefined
    if (!isBound || routes.find(namespace, functionId) !== undefined) return
    const said = `nobody has registered the function of a trigger${adviceAbout(namespace, functionId)}`
    const fields = { trigger_id: id, trigger_type: binding.triggerType, function_id: functionId, namespace }
    engine.carryOut(warnIn(binding.warnings, 'target missing', said, fields, SPARED_LINES))
  }

  function adviceAbout(namespace: string, functionId: string): string {
    const builtIn =
      namespace === DEFAULT_NAMESPACE
        ? unstartedBuiltIn(functionId, routes.idsIn(namespace, limits.comparedFunctions))
        : undefined
    if (builtIn !== undefined) return `; ${startAdvice(shortened(functionId), builtIn)}`
    const nearest = engine.nearestFunction(namespace, functionId)
    return nearest === undefined ? '' : `; did you mean '${nearest}'?`
  }

  /** Nothing of a worker that has left is looked at, and without anything to look at there is no timer. */
  function forget(owner: string): void {
    young.delete(owner)
    old.delete(owner)
    if (cancel === undefined || young.size + old.size > 0) return
    cancel()
    cancel = undefined
  }

  function expect(binding: BindingRecord): void {
    const owner = binding.ownerId ?? NOBODY
    const others = young.get(owner)
    if (others === undefined) young.set(owner, new Set([binding]))
    else others.add(binding)
    cancel ??= clock.after(limits.targetLookMs, look)
  }

  engine.watchers.add(change => {
    if (change.change === 'bind') expect(change.binding)
    else if (change.change === 'workerChanged' && change.event === 'worker_disconnected')
      forget(change.workerId)
    // The last one was removed.
    else if (change.change === 'ownerlessAnswered' && directory.triggers.ownerless.size === 0) forget(NOBODY)
  })
}
