/**
 * Workers that have lost their connection. For some time they may come back and have again what was theirs, also if a
 * stranger took it meanwhile.
 */
import type { Limits } from '../../protocol/limits.ts'
import { keyIn, type Lost, type WorkerRecord } from './records.ts'

export interface LostWorkers {
  remember(worker: WorkerRecord): void
  reclaim(worker: WorkerRecord, previousId: string, token: string): boolean
  takesBack(worker: WorkerRecord, kind: 'name' | 'function', namespace: string, id: string): boolean
}

export function createLostWorkers(now: () => number, limits: Limits): LostWorkers {
  const lost = new Map<string, Lost>()

  function remember(worker: WorkerRecord): void {
    for (const [id, entry] of lost) {
      if (entry.untilMs > now() && lost.size < limits.lostWorkersKept) break
      lost.delete(id)
    }
    const functionKeys = new Set<string>()
    for (const record of worker.functions) {
      if (record.owner?.workerId === worker.id) functionKeys.add(keyIn(record.namespace, record.id))
    }
    lost.set(worker.id, {
      token: worker.token,
      untilMs: now() + limits.reclaimMs,
      nameKey: worker.nameKey,
      functionKeys,
    })
  }

  /** True if the worker is the one that was lost: until some time is over it takes back what was its. */
  function reclaim(worker: WorkerRecord, previousId: string, token: string): boolean {
    const entry = lost.get(previousId)
    if (entry === undefined || entry.token !== token || entry.untilMs < now()) return false
    lost.delete(previousId)
    worker.reclaims = { ...entry, untilMs: now() + limits.reclaimMs }
    return true
  }

  /** Uses up a lost worker's right to a name or an id; false when there is none (any more). */
  function takesBack(
    worker: WorkerRecord,
    kind: 'name' | 'function',
    namespace: string,
    id: string,
  ): boolean {
    const { reclaims } = worker
    if (reclaims === undefined || reclaims.untilMs < now()) return false
    const key = keyIn(namespace, id)
    if (kind === 'function') return reclaims.functionKeys.delete(key)
    if (reclaims.nameKey !== key) return false
    reclaims.nameKey = undefined
    return true
  }

  return { remember, reclaim, takesBack }
}
