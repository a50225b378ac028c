/** One turn of the event loop: everything that was submitted in it, applied in one transaction. */

import { limits } from '../protocol/limits.ts'
import { apply } from './apply/apply.ts'
import type { ApplyContext } from './apply/context.ts'
import { expire } from './apply/expire.ts'
import type { Cause, EntryChange, Publication } from './change.ts'
import type { Answer, Command } from './command.ts'
import type { Committal } from './partition.ts'
import type { MessageChange, QueueChange } from './queue/message.ts'
import { CorruptData, StorageError } from './storageError.ts'
import { StorageFault, type Store } from './store.ts'

/** What one caller asked for: commands, all or none, or the partition itself: that entries expire, so many at most. */
export interface Work {
  readonly commands: readonly Command[]
  readonly expires: number
  readonly cause?: Cause | undefined
}

export type Outcome =
  | { readonly answers: readonly Answer[]; readonly revision: number }
  /** Nothing of it was done. */
  | { readonly refusal: unknown }

export interface TurnResult extends Committal {
  /** One for each work that was done: the first ones. The others are for the next turn. */
  readonly outcomes: readonly Outcome[]
  readonly isCommitted: boolean
  /** Something was removed because its time had passed. */
  readonly hasExpired: boolean
  /** Something that commands of queues have written is to be forgotten then, at the earliest. */
  readonly expiresAtMs: number | undefined
  /** It is lost with the power until `sync` has been called. */
  readonly needsSync: boolean
}

/** A fault of ours: it is not known what the work has done to the tables. */
class Unforeseen extends Error {
  readonly place: number

  constructor(place: number, cause: unknown) {
    super('a command failed in a way nobody has thought of', { cause })
    this.place = place
  }
}

export interface TurnOptions {
  readonly store: Store
  readonly nowMs: number
  readonly isSynced: boolean
  /** What the transaction is about to write: if its commit fails, nobody knows whether it did. */
  readonly beforeCommit: (changes: readonly EntryChange[]) => void
  /** Of what is stepped over: it is nobody's to hear of. */
  readonly noticeDamage: (damage: CorruptData) => void
}

/**
 * Returns after the commit. Throws a `StorageFault`: nothing of the turn was done then (or, if it was the commit that
 * failed, nobody knows).
 */
export function runTurn(works: readonly Work[], options: TurnOptions): TurnResult {
  const refused = new Map<number, unknown>()
  while (true) {
    try {
      return attempt(works, refused, options)
    } catch (error) {
      rollback(options.store)
      if (!(error instanceof Unforeseen)) throw error
      // The others have nothing to do with it: once more, without this one.
      refused.set(error.place, error.cause)
    }
  }
}

/** There may be nothing any more that could be rolled back. */
function rollback(store: Store): void {
  try {
    store.rollback()
  } catch (error) {
    if (!(error instanceof StorageFault)) throw error
  }
}

function attempt(
  works: readonly Work[],
  refused: ReadonlyMap<number, unknown>,
  options: TurnOptions,
): TurnResult {
  const { store } = options
  const changes: EntryChange[] = []
  const publications: Publication[] = []
  const messages: MessageChange[] = []
  const queues: QueueChange[] = []
  /** Something beside the changes is to be committed. */
  let hasWritten = false
  let hasExpired = false
  let expiresAtMs: number | undefined
  let revision = store.revision()
  /** Of the values in the changes, and in those of the work that is being done. */
  let characters = 0
  let ofWork = 0
  /** Of the work that is being done. */
  let isOneOfSeveral = false
  let cause: Cause | undefined

  /** Throws only for one of several commands: what one alone writes is bounded by what a value may be. */
  function weigh(added: number): void {
    characters += added
    ofWork += added
    if (isOneOfSeveral && ofWork > limits.transactionCharacters) throw tooLarge()
  }

  const context: ApplyContext = {
    nowMs: options.nowMs,
    tables: store.tables,
    nextRevision: () => ++revision,
    noticeDamage: options.noticeDamage,
    emit(change) {
      weigh((change.oldValue?.length ?? 0) + (change.newValue?.length ?? 0))
      changes.push(cause === undefined ? change : { ...change, cause })
    },
    tellMessage: change => void messages.push(change),
    expires(atMs) {
      expiresAtMs = Math.min(expiresAtMs ?? atMs, atMs)
    },
    tellQueue: change => void queues.push(change),
    wrote(added) {
      hasWritten = true
      weigh(added)
    },
    publish: publication =>
      void publications.push(cause === undefined ? publication : { ...publication, cause }),
  }

  function run({ commands, expires }: Work): readonly Answer[] {
    if (commands.length === 1) return [apply(commands[0]!, context)]
    const answers = commands.map(command => apply(command, context))
    if (expires > 0 && expire(expires, context) > 0) hasExpired = true
    return answers
  }

  /** Only what does several things can be refused after it has done some. */
  function runWhole(work: Work): readonly Answer[] {
    if (work.commands.length < 2) return run(work)
    store.savepoint()
    try {
      const answers = run(work)
      store.release()
      return answers
    } catch (error) {
      if (!(error instanceof StorageFault)) store.rollbackToSavepoint()
      throw error
    }
  }

  function outcomeOf(work: Work, place: number): Outcome {
    if (refused.has(place)) return { refusal: refused.get(place) }
    cause = work.cause
    isOneOfSeveral = work.commands.length > 1
    ofWork = 0
    const before = {
      revision,
      changes: changes.length,
      publications: publications.length,
      messages: messages.length,
      queues: queues.length,
      hasWritten,
    }
    try {
      return { answers: runWhole(work), revision }
    } catch (error) {
      if (error instanceof StorageFault) throw error
      // Damage may have been met after something was written.
      if (!(error instanceof StorageError) || error instanceof CorruptData) throw new Unforeseen(place, error)
      revision = before.revision
      changes.length = before.changes
      publications.length = before.publications
      messages.length = before.messages
      queues.length = before.queues
      hasWritten = before.hasWritten
      return { refusal: error }
    }
  }

  store.begin(options.isSynced)
  const outcomes: Outcome[] = []
  for (const [place, work] of works.entries()) {
    outcomes.push(outcomeOf(work, place))
    if (characters >= limits.turnCharacters) break
  }
  let needsSync = false
  const isCommitted = changes.length > 0 || hasWritten
  if (!isCommitted) store.rollback()
  else {
    options.beforeCommit(changes)
    needsSync = store.commit(revision, changes)
  }
  const committed = { outcomes, changes, publications, isCommitted, needsSync, hasExpired, expiresAtMs }
  if (messages.length + queues.length === 0) return committed
  return { ...committed, ...(messages.length > 0 && { messages }), ...(queues.length > 0 && { queues }) }
}

const tooLarge = (): StorageError =>
  new StorageError(
    'TRANSACTION_TOO_LARGE',
    `The values before and after these operations have more than ${limits.transactionCharacters} characters together, which no answer could carry. Do fewer of them at a time; nothing was written.`,
  )
