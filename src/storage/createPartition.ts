/**
 * The partition over a store: gathers what is submitted in a turn of the event loop, commits it together, and tells when
 * the disk has it.
 *
 *            submit                     end of the turn                      it is on disk (`untold.ts`)
 *     idle ─────────▶ gathering ───────────────────────────▶ idle · · · · · · · · · · · · · · · · · · ▶
 *                      submit, read: wait   apply all · commit · reads            followers · answers · what was read
 *
 *     ok ──fault of the disk──▶ degraded: writes are refused, reads go on ──a commit works again──▶ ok
 *
 * Not read meanwhile is what a commit has written of which the disk did not say that it has it (`doubt.ts`).
 *
 * A full disk is tried again with every turn; after any other fault the store has to recover first. Either way it is
 * tried once in `storageRetryMs`, so that nobody has to write for the partition to notice.
 */
import type { Clock } from '../clock/clock.ts'
import type { Log } from '../log/log.ts'
import { limits } from '../protocol/limits.ts'
import type { EntryChange } from './change.ts'
import { tablesInDoubt } from './doubt.ts'
import { createExpiry } from './expiry.ts'
import { createFeed } from './feed.ts'
import { createNotices } from './notices.ts'
import type { Committal, Committed, Level, Partition, PartitionStatus, SubmitLevel } from './partition.ts'
import { createRecentChanges, type RecentLimits, recentLimits } from './recent.ts'
import { closed, refusal } from './refusals.ts'
import { StorageFault, type Store } from './store.ts'
import { createSyncSoon } from './syncSoon.ts'
import type { ReadTables } from './tables.ts'
import { type Outcome, runTurn, type Work } from './turn.ts'
import { createUntoldQueue } from './untold.ts'

export interface PartitionOptions {
  readonly store: Store
  readonly clock: Clock
  /** The clock on the wall, milliseconds: `Date.now`. Entries expire by it. */
  readonly wallClock: () => number
  /** Runs a task when what has come in this turn of the event loop has been handled: `setImmediate`. */
  readonly atTurnEnd: (task: () => void) => void
  readonly log: Log
  /** Which changes stay in memory for those who resume. */
  readonly recent?: RecentLimits
}

interface Waiting extends Work {
  readonly level: SubmitLevel
  readonly since: number
  readonly resolve: (committed: Committed) => void
  readonly reject: (error: unknown) => void
}

interface Trouble {
  readonly kind: StorageFault['kind']
  readonly reason: string
}

export function createPartition(options: PartitionOptions): Partition {
  const { store, clock, wallClock, atTurnEnd, log } = options
  const { adapter } = store
  const recent = createRecentChanges(store.revision(), options.recent ?? recentLimits(adapter))
  const feed = createFeed(store, recent, () => told, atTurnEnd)
  const untold = createUntoldQueue({
    sync: isHere => store.sync(isHere),
    onFault(error, changes) {
      inDoubt = [...changes, ...inDoubt]
      areQueuesInDoubt ||= store.queueCommits() > toldOfQueues
      failBy(error)
    },
  })
  const syncSoon = createSyncSoon(clock, () => untold.add({ sync: 'beside', tell() {}, refuse() {} }))
  const { damage, noticeDamage, noticeUnforeseen } = createNotices(log)
  const followers = new Set<(committal: Committal) => void>()
  const expiry = createExpiry(clock, wallClock, () => {
    gather({
      commands: [],
      expires: limits.expiriesPerTurn,
      level: 'disk',
      since: 0,
      resolve() {},
      reject() {},
    })
  })
  let works: Waiting[] = []
  /** Each waits for the works that came before it. */
  let reads: { readonly after: number; run(): void }[] = []
  /** Works that have come, and those of them that are over. */
  let come = 0
  let over = 0
  let isGathering = false
  let isClosed = false
  let trouble: Trouble | undefined
  let cancelRetry: (() => void) | undefined
  /** Nobody knows whether the disk has them. */
  let inDoubt: readonly EntryChange[] = []
  let areQueuesInDoubt = false
  let cancelScrub: (() => void) | undefined
  /** Followers have heard of everything up to this revision. */
  let told = store.revision()
  /** And of so many transactions of queues. */
  let toldOfQueues = store.queueCommits()
  let commits = 0
  let commandCount = 0
  expiry.look(nextExpiryMs())

  if (!store.isChecked) scrub()

  const wallNow = (): number => Math.floor(wallClock())

  function awaitTurnEnd(): void {
    if (isGathering) return
    isGathering = true
    atTurnEnd(endTurn)
  }

  function gather(work: Waiting): void {
    works.push(work)
    come++
    awaitTurnEnd()
  }

  function endTurn(): void {
    if (!isGathering) return
    isGathering = false
    const turn = works
    works = []
    if (turn.length > 0) {
      const count = commit(turn)
      over += count
      // What did not fit into one transaction goes before what comes now.
      if (count < turn.length) works = [...turn.slice(count), ...works]
    }
    if (works.length > 0) awaitTurnEnd()
    const waitingReads = reads
    reads = []
    for (const read of waitingReads) {
      if (read.after <= over) read.run()
      else reads.push(read)
    }
  }

  async function endTurns(): Promise<void> {
    while (isGathering) endTurn()
    await untold.emptied()
  }

  /** Returns how many of them are over. */
  function commit(turn: readonly Waiting[]): number {
    const awaited = turn.filter(({ level }) => level === 'disk').length
    const soon = turn.filter(({ level }) => level === 'soon').length
    const isSynced = awaited > 0
    const isSoon = soon === turn.length
    let attempted: readonly EntryChange[] | undefined
    try {
      // Not before the disk has recovered: `retry` sees to that.
      if (trouble?.kind === 'broken') throw new StorageFault('broken', trouble.reason)
      const result = runTurn(turn, {
        store,
        nowMs: wallNow(),
        isSynced: isSynced || isSoon,
        noticeDamage,
        beforeCommit: changes => {
          attempted = changes
        },
      })
      if (result.isCommitted) {
        commits++
        if (trouble !== undefined) recovered()
      }
      const queueCommits = store.queueCommits()
      const level = adapter === 'memory' ? 'memory' : isSynced ? 'disk' : 'os'
      const done = turn.slice(0, result.outcomes.length)
      expiry.after(done, nextExpiryMs, result.hasExpired)
      expiry.look(result.expiresAtMs)
      untold.add({
        sync:
          result.needsSync && !isSoon ? (awaited === 1 || turn.length === 1 ? 'here' : 'beside') : undefined,
        changes: result.changes,
        tell() {
          toldOfQueues = queueCommits
          tell(result)
          for (const [place, waiting] of done.entries()) answer(waiting, result.outcomes[place]!, level)
        },
        refuse(error) {
          for (const { reject } of done) reject(refusal(error))
        },
      })
      if (isSynced && result.isCommitted) syncSoon.rest()
      else if (result.isCommitted && soon > 0) syncSoon.await()
      return done.length
    } catch (error) {
      for (const { reject } of turn) reject(refusal(error))
      expiry.rest()
      if (error instanceof StorageFault && error.kind === 'broken' && attempted !== undefined) {
        inDoubt = [...inDoubt, ...attempted]
        areQueuesInDoubt = true
      }
      failBy(error)
      return turn.length
    }
  }

  function failBy(error: unknown): void {
    if (error instanceof StorageFault) fail(error)
    else {
      if (!noticeDamage(error)) noticeUnforeseen(error)
      expiry.look(wallNow() + limits.storageRetryMs)
    }
  }

  function answer({ commands, since, resolve, reject }: Waiting, outcome: Outcome, level: Level): void {
    if ('refusal' in outcome) {
      noticeDamage(outcome.refusal)
      reject(refusal(outcome.refusal))
      return
    }
    commandCount += commands.length
    resolve({ answers: outcome.answers, revision: outcome.revision, level, ms: clock.now() - since })
  }

  function tell({ changes, publications, messages, queues }: Committal): void {
    told = changes.at(-1)?.revision ?? told
    recent.add(changes)
    if (changes.length === 0 && publications.length === 0 && (messages ?? queues) === undefined) return
    const committal: Committal = {
      changes,
      publications,
      ...(messages && { messages }),
      ...(queues && { queues }),
    }
    for (const follower of followers) {
      try {
        follower(committal)
      } catch (error) {
        log.error('A follower of the partition failed.', { error: String(error) })
      }
    }
  }

  function fail(fault: StorageFault): void {
    if (trouble === undefined) log.error(`Nothing can be written: ${fault.message}`)
    trouble = { kind: fault.kind, reason: fault.message }
    cancelRetry ??= clock.after(limits.storageRetryMs, retry)
  }

  function retry(): void {
    cancelRetry = undefined
    if (trouble === undefined || isClosed) return
    if (!untold.isEmpty()) {
      // A sync is under way.
      void untold.emptied().then(retry)
      return
    }
    try {
      store.recover()
      // The commit that failed may have reached the disk after all.
      tellMissed()
      recovered()
    } catch (error) {
      if (!(error instanceof StorageFault)) throw error
      fail(error)
    }
  }

  function recovered(): void {
    log.info('Everything can be written again.')
    trouble = undefined
    inDoubt = []
    areQueuesInDoubt = false
    cancelRetry?.()
    cancelRetry = undefined
    expiry.look(nextExpiryMs())
  }

  function tellMissed(): void {
    try {
      while (told < store.revision() && told >= store.oldest()) {
        tell({ changes: store.portion(told).changes, publications: [] })
      }
    } catch (error) {
      if (error instanceof StorageFault) throw error
      noticeDamage(error)
    }
    if (toldOfQueues !== store.queueCommits()) {
      toldOfQueues = store.queueCommits()
      tell({ changes: [], publications: [], queues: [{ event: 'unheard' }] })
    }
    if (told === store.revision()) return
    // Whoever resumes is told that it has missed something.
    told = store.revision()
    recent.restart(told)
  }

  function readable(): ReadTables {
    const isHeard = inDoubt.length === 0 || store.revision() <= told
    if (trouble === undefined || (isHeard && !areQueuesInDoubt)) return store.tables
    return tablesInDoubt(store.tables, isHeard ? [] : inDoubt, areQueuesInDoubt, trouble.reason)
  }

  function query<Result>(ask: (tables: ReadTables, nowMs: number, revision: number) => Result): Result {
    try {
      return ask(readable(), wallNow(), trouble === undefined ? store.revision() : told)
    } catch (error) {
      noticeDamage(error)
      if (error instanceof StorageFault && error.kind === 'broken') fail(error)
      throw refusal(error)
    }
  }

  /** Portion by portion, with pauses for everybody else. */
  function scrub(): void {
    cancelScrub = clock.after(limits.scrubPauseMs, () => {
      try {
        if (!store.scrub()) scrub()
      } catch (error) {
        if (!noticeDamage(error)) scrub()
      }
    })
  }

  function nextExpiryMs(): number | undefined {
    try {
      const { tables } = store
      const times = [tables.nextExpiryMs(), tables.queues.nextExpiryMs()].filter(ms => ms !== undefined)
      return times.length === 0 ? undefined : Math.min(...times)
    } catch (error) {
      if (!noticeDamage(error) && !(error instanceof StorageFault)) throw error
      return wallNow() + limits.storageRetryMs
    }
  }

  const status = (): PartitionStatus => ({
    adapter,
    health: (trouble ?? damage()) === undefined ? 'ok' : 'degraded',
    reason: trouble?.reason ?? damage(),
    revision: told,
    commits,
    commands: commandCount,
    syncs: store.syncs(),
  })

  return {
    submit(commands, { level = 'disk', cause } = {}) {
      if (isClosed) return Promise.reject(closed())
      const { promise, resolve, reject } = Promise.withResolvers<Committed>()
      gather({ commands, expires: 0, cause, level, since: clock.now(), resolve, reject })
      return promise
    },
    read(ask) {
      if (isClosed) return Promise.reject(closed())
      if (!isGathering && untold.isEmpty()) return query(ask)
      const { promise, resolve, reject } = Promise.withResolvers<ReturnType<typeof ask>>()
      const tellOf = (): (() => void) => {
        try {
          const result = query(ask)
          return () => resolve(result)
        } catch (error) {
          return () => reject(error)
        }
      }
      // What it finds is told behind what it may have seen; if that is in doubt, it has to look again.
      const run = (): void => untold.add({ tell: tellOf(), refuse: () => tellOf()() })
      if (isGathering) reads.push({ after: come, run })
      else run()
      return promise
    },
    follow(follower) {
      followers.add(follower)
      return () => void followers.delete(follower)
    },
    since: feed,
    status,
    async backup(file) {
      if (isClosed) throw closed()
      await endTurns()
      await store.backup(file)
    },
    async close() {
      if (isClosed) return
      isClosed = true
      await endTurns()
      expiry.stop()
      cancelScrub?.()
      cancelRetry?.()
      syncSoon.rest()
      await store.close()
    },
  }
}
