/**
 * Workers that have lost their connection. For some time they may come back and have again what was theirs, also if a
 * stranger took it meanwhile.
 */
import type { Limits } from '../../protocol/limits.ts'
import { keyIn, type Lost, type WorkerRecord } from './records.ts'

export interface LostWorkers {
  /** A worker leaves. */
  remember(worker: WorkerRecord): void
  /**
   * The id of who came back by the same proof last, connected or lost, if anybody did. A connection can end before its
   * worker has read who it is there: then the worker comes by the proof of the one before, and means this one.
   */
  successorOf(previousId: string, token: string): string | undefined
  /** True if the worker is one that was lost: until some time is over it takes back what was its. */
  reclaim(worker: WorkerRecord, previousId: string, token: string): boolean
  /** Uses up a lost worker's right to a name or an id; false when there is none (any more). */
  takesBack(worker: WorkerRecord, kind: 'name' | 'function', namespace: string, id: string): boolean
}

const proofOf = (previousId: string, token: string): string => `${previousId} ${token}`

export function createLostWorkers(now: () => number, limits: Limits): LostWorkers {
  const lost = new Map<string, Lost>()
  /** By proof: the id of who came back by it last. An entry goes with that worker, or when it is remembered no more. */
  const successors = new Map<string, string>()

  function giveUpProof(id: string, { proof }: Pick<WorkerRecord, 'proof'>): void {
    if (proof !== undefined && successors.get(proof) === id) successors.delete(proof)
  }

  function forget(id: string, entry: Lost): void {
    lost.delete(id)
    giveUpProof(id, entry)
  }

  function remember(worker: WorkerRecord): void {
    if (worker.builtIn || worker.displaced) {
      giveUpProof(worker.id, worker)
      return
    }
    for (const [id, entry] of lost) {
      if (entry.untilMs > now() && lost.size < limits.lostWorkersKept) break
      forget(id, entry)
    }
    const functionKeys = new Set<string>()
    for (const record of worker.functions) {
      if (record.owner?.workerId === worker.id) functionKeys.add(keyIn(record.namespace, record.id))
    }
    const { token, proof, nameKey } = worker
    lost.set(worker.id, { token, proof, untilMs: now() + limits.reclaimMs, nameKey, functionKeys })
  }

  function successorOf(previousId: string, token: string): string | undefined {
    return successors.get(proofOf(previousId, token))
  }

  function reclaim(worker: WorkerRecord, previousId: string, token: string): boolean {
    const successorId = successorOf(previousId, token)
    const lastId = successorId ?? previousId
    const entry = lost.get(lastId)
    giveUpProof(worker.id, worker)
    const proof = proofOf(previousId, token)
    // No client has one as long as that; none is kept for ever at somebody's request.
    if (proof.length <= limits.nameLength) {
      worker.proof = proof
      successors.set(proof, worker.id)
    }
    if (entry === undefined || entry.untilMs < now()) return false
    if (successorId === undefined && entry.token !== token) return false
    forget(lastId, entry)
    worker.reclaims = { ...entry, untilMs: now() + limits.reclaimMs }
    return true
  }

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

  return { remember, successorOf, reclaim, takesBack }
}
