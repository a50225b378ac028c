/**
 * Queues in the durable partition, on disk or in memory. Leases are in memory, and messages are rows: `core/dispatch.ts` knows who
 * has which. What ends in one turn of the event loop is one command of the partition.
 */
import type { Clock } from '../../../src/clock/clock.ts'
import type { Log } from '../../../src/log/log.ts'
import { JSON_NULL, type JsonText } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import type { Collection, Command } from '../../../src/storage/command.ts'
import type { Partition, SubmitLevel } from '../../../src/storage/partition.ts'
import type { AdoptCommand, PurgeCommand, QueueCommand } from '../../../src/storage/queue/command.ts'
import { messageOf } from '../../../src/storage/queue/deadLetter.ts'
import { listMessages } from '../../../src/storage/queue/list.ts'
import { type FailureReport, type Lane, laneId, type Message } from '../../../src/storage/queue/message.ts'
import type { ReadQueueTables } from '../../../src/storage/queue/tables.ts'
import { hasExpired, type ReadTables } from '../../../src/storage/tables.ts'
import type { BackendSettings, Found, Outcome, Published, QueueBackend, QueueFollower } from '../backend.ts'
import { createDispatch } from '../core/dispatch.ts'
import type { Lease } from '../core/lease.ts'
import { createMeter } from '../core/meter.ts'
import { type Ending, verdict } from '../core/verdict.ts'
import { publishCommands } from '../enqueueCommand.ts'
import { keepsResult, keptResultOf, resultText } from '../keptResult.ts'
import { stateOf } from './state.ts'

/** By receipt. What is kept of messages that are done. */
const RESULTS: Collection = { space: 'queue', name: 'results', group: '' }

export interface PartitionBackendParts extends BackendSettings {
  readonly partition: Partition
  readonly clock: Clock
  readonly log: Log
  /** The clock on the wall, milliseconds: messages are due by it. */
  readonly wallClock: () => number
  /** From 0 to, and without, 1: of the jitter. */
  readonly random: () => number
  /** Never the same twice, over all starts of the engine. */
  readonly epoch: string
}

/** Ends of leases that are written together. */
interface Ends {
  readonly commands: Command[]
  readonly leases: Lease[]
  /** Of results. */
  characters: number
  /** The highest that one of them needs. */
  level: SubmitLevel
  /** Of those that are done: all have the same outcome. */
  readonly written: Promise<void>
  readonly done: Promise<Outcome>
}

const OVER: Promise<Outcome> = Promise.resolve('over')

function allLanes(tables: Pick<ReadQueueTables, 'queues' | 'lanes'>): Lane[] {
  const lanes: Lane[] = []
  for (let after: string | undefined; ; ) {
    const page = tables.queues(after, limits.queuePage)
    for (const { name } of page) lanes.push(...tables.lanes(name))
    if (page.length < limits.queuePage) return lanes
    after = page.at(-1)!.name
  }
}

export function createPartitionBackend(parts: PartitionBackendParts): QueueBackend {
  const { partition, clock, wallClock, random, epoch, concurrencyOf, resultMsOf } = parts
  let tables: ReadQueueTables | undefined
  /** The tables are looked at only where the partition lets them be read. What goes wrong is a promise that is rejected. */
  function reading<Result>(ask: (nowMs: number, all: ReadTables) => Result): Result | Promise<Result> {
    try {
      return partition.read((current, nowMs) => {
        tables = current.queues
        try {
          return ask(nowMs, current)
        } finally {
          tables = undefined
        }
      })
    } catch (error) {
      return Promise.reject(error)
    }
  }
  const open = () => tables!
  const dispatch = createDispatch({
    tables: {
      ready: (...query) => open().ready(...query),
      due: (...query) => open().due(...query),
      nextDueMs: (...query) => open().nextDueMs(...query),
      oldest: (...query) => open().oldest(...query),
    },
    concurrencyOf,
    epoch,
    windowSize: limits.queueWindow,
    mostSetAside: limits.queueSetAside,
  })
  const meter = createMeter(clock.now)
  let follower: QueueFollower | undefined
  let ends: Ends | undefined
  /** Messages that were removed while somebody has them. */
  const withoutResult = new Set<number>()
  /** When the timer rings, by the clock on the wall. */
  let alarm = Number.POSITIVE_INFINITY
  let cancelAlarm: (() => void) | undefined
  let isStopped = false

  const unfollow = partition.follow(({ messages, queues }) => {
    if (isStopped) return
    // Queues have changed their names, or what was written is not known.
    if (queues?.some(({ event }) => event === 'adopted' || event === 'unheard')) {
      dispatch.forget()
      follower?.ready(dispatch.lanes())
    }
    if (queues?.some(({ event }) => event === 'unheard')) tellAll()
    if (messages === undefined) return
    const touched = dispatch.changed(messages)
    for (const { event, message } of messages) {
      if (event === 'placed') lookAt(message.dueAtMs)
      else {
        // Whoever has it does not know: what it returns is nobody's.
        if (keepsResult(message.receipt) && dispatch.leaseOf(message.number) !== undefined)
          withoutResult.add(message.number)
        follower?.gone?.(message)
      }
    }
    if (touched.size > 0) follower?.ready(touched.values())
    tellFreed()
  })

  /** Messages whose keys were full may be had now. */
  function tellFreed(): void {
    const lanes = dispatch.freed()
    if (lanes.length > 0) follower?.ready(lanes)
  }

  function lookAt(ms: number | undefined): void {
    if (ms === undefined || ms >= alarm || isStopped) return
    cancelAlarm?.()
    alarm = ms
    // A timer may be early by a fraction of a millisecond, and the clock on the wall may be set back.
    const wait = Math.min(Math.max(0, ms - wallClock()), limits.queueAlarmMs)
    cancelAlarm = clock.after(wait, ring)
  }

  function ring(): void {
    alarm = Number.POSITIVE_INFINITY
    cancelAlarm = undefined
    const nowMs = wallClock()
    const expired = dispatch.expired(nowMs)
    tellFreed()
    for (const lease of expired) {
      const report = {
        atMs: Math.floor(nowMs),
        code: 'lease_expired',
        message: 'The lease ran out before the message was done; handlers that take longer extend it',
      }
      void ended(lease, { kind: 'failed', report })
      follower?.expired(lease)
    }
    follower?.ready(dispatch.dueLanes(nowMs))
    const next = reading(() => dispatch.nextMs(nowMs))
    if (next instanceof Promise) next.then(lookAt, () => lookAt(nowMs + limits.storageRetryMs))
    else lookAt(next)
  }

  /** There may be messages in lanes that nobody has heard of. */
  function tellAll(): void {
    if (isStopped) return
    const told = (lanes: readonly Lane[]): void => follower?.ready(lanes)
    const found = reading(() => allLanes(open()))
    if (!(found instanceof Promise)) told(found)
    else found.then(told, () => clock.after(limits.storageRetryMs, tellAll))
  }

  /** Not before there is hope that their ends can be written: a lease that is over has nobody else who would ask. */
  function tellAgain(leases: readonly Lease[]): void {
    const lanes = new Map(leases.map(({ message }) => [laneId(message), message]))
    clock.after(limits.storageRetryMs, () => {
      if (!isStopped) follower?.ready(lanes.values())
    })
  }

  function begin(): Ends {
    const commands: Command[] = []
    const leases: Lease[] = []
    const { promise: written, resolve, reject } = Promise.withResolvers<void>()
    queueMicrotask(() => {
      if (ends === begun) ends = undefined
      partition.submit(commands, { level: begun.level }).then(
        () => {
          for (const lease of leases) dispatch.settle(lease)
          countEnds(commands, leases)
          resolve()
        },
        error => {
          // Nothing of it is written: as if the holders had given the messages back.
          for (const lease of leases) dispatch.revive(lease)
          tellAgain(leases)
          reject(error)
        },
      )
    })
    const done = written.then((): Outcome => 'done')
    done.catch(() => {})
    written.catch(() => {})
    const begun: Ends = { commands, leases, characters: 0, level: 'soon', written, done }
    return begun
  }

  function countEnds(commands: readonly Command[], leases: readonly Lease[]): void {
    let at = 0
    for (const { command } of commands) {
      if (command === 'put') continue
      meter.count(leases[at++]!.message.queue, command === 'finish' ? 'done' : 'failed', 1)
    }
  }

  function ended(lease: Lease, ending: Ending, level: SubmitLevel = 'disk'): Promise<Outcome> {
    // Nothing of it is left to time or chance.
    const isDone = ending.kind === 'done'
    const nowMs = isDone ? 0 : Math.floor(wallClock())
    const command = verdict(lease, ending, lease.retry, { nowMs, chance: isDone ? 0 : random() })
    ends ??= begin()
    const current = ends
    current.commands.push(command)
    current.leases.push(lease)
    const isKept = keepsResult(lease.message.receipt) && !withoutResult.delete(lease.message.number)
    if (level === 'disk' || isKept) current.level = 'disk'
    if (command.command === 'finish') {
      if (ending.kind === 'done' && isKept) keep(lease, ending.result ?? JSON_NULL, current)
      return current.done
    }
    const outcome: Outcome = command.next === 'never' ? 'dead' : 'again'
    const promise = current.written.then(() => outcome)
    promise.catch(() => {})
    return promise
  }

  /** In the transaction in which its message ends. */
  function keep({ message: { queue, receipt } }: Lease, result: JsonText, into: Ends): void {
    const nowMs = Math.floor(wallClock())
    const value = resultText(result, nowMs)
    into.commands.push({
      command: 'put',
      collection: RESULTS,
      key: receipt!,
      value,
      ifVersion: undefined,
      expiresAtMs: nowMs + resultMsOf(queue),
      isQuiet: true,
    })
    into.characters += value.length
    // A transaction has an end.
    if (into.characters >= limits.turnCharacters) ends = undefined
  }

  function end(token: string, ending: Ending, level: SubmitLevel = 'disk'): Promise<Outcome> {
    const lease = dispatch.end(token)
    tellFreed()
    return lease === undefined ? OVER : ended(lease, ending, level)
  }

  const foundOf = (message: Message, nowMs: number): Found => ({
    message,
    reason: dispatch.reasonOf(message, nowMs),
    lease: dispatch.leaseOf(message.number),
  })

  async function count(command: QueueCommand): Promise<number> {
    const { answers } = await partition.submit([command])
    return answers[0]!.queue!.count
  }

  /** Until nothing is left of it: others have their turn between. */
  async function inPortions(command: AdoptCommand | PurgeCommand): Promise<number> {
    let sum = 0
    for (let cursor: string | undefined; ; ) {
      const { answers } = await partition.submit([{ ...command, ...(cursor && { cursor }) }])
      const answer = answers[0]!.queue!
      sum += answer.count
      cursor = answer.cursor
      if (answer.count === 0 && cursor === undefined) return sum
    }
  }

  return {
    adapter: partition.status().adapter,
    async publish(messages) {
      const { answers } = await partition.submit(publishCommands(messages))
      const published: Published[] = []
      for (const { queue } of answers) {
        if (queue?.receipt === undefined) continue
        const isDuplicate = queue.isDuplicate === true
        if (!isDuplicate) meter.count(messages[published.length]!.queue, 'published', 1)
        published.push({ receipt: queue.receipt, isDuplicate })
      }
      return published
    },
    take(request) {
      const { lane } = request
      const take = (nowMs: number, mayRead: boolean): readonly Lease[] => {
        const leases = dispatch.take(request, nowMs, mayRead)
        lookAt(leases[0]?.untilMs)
        // Filled: otherwise it takes more before long, and then it is looked at. So it is while messages are left that are due.
        if (dispatch.isFilled(lane, nowMs)) lookAt(dispatch.nextDueMs(lane, nowMs, mayRead))
        return leases
      }
      const nowMs = Math.floor(wallClock())
      if (!dispatch.isFilled(lane, nowMs)) return reading(nowMs => take(nowMs, true))
      const leases = take(nowMs, false)
      // There may be more than is known.
      if (leases.length < request.max && !dispatch.isFilled(lane, nowMs))
        queueMicrotask(() => follower?.ready([lane]))
      return leases
    },
    finish: (token, result, level) => end(token, { kind: 'done', result }, level),
    fail: (token, failure) => end(token, { kind: 'failed', ...failure }),
    lose: (token, report) => end(token, { kind: 'lost', report }),
    giveBack(token) {
      const lease = dispatch.get(token)
      if (lease === undefined) return false
      dispatch.giveBack(token)
      withoutResult.delete(lease.message.number)
      tellFreed()
      follower?.ready([lease.message])
      return true
    },
    extend(token, leaseMs) {
      const untilMs = Math.floor(wallClock()) + leaseMs
      if (!dispatch.extend(token, untilMs)) return undefined
      lookAt(untilMs)
      return untilMs
    },
    lease: token => dispatch.get(token),
    leave(holder, report: FailureReport) {
      for (const lease of dispatch.leave(holder)) void ended(lease, { kind: 'lost', report })
      tellFreed()
    },
    park: (of, parking) => dispatch.park(of, parking),
    unpark: (of, parking) => dispatch.unpark(of, parking),
    state: queue => reading(nowMs => stateOf(queue, { tables: open(), dispatch, meter, nowMs })),
    dead: (queue, offset, limit) =>
      reading(() =>
        open()
          .dead(queue, undefined, offset + limit)
          .slice(offset),
      ),
    find: receipt =>
      reading(nowMs => {
        const message = messageOf(open(), receipt)
        return message && foundOf(message, nowMs)
      }),
    result: receipt =>
      reading((nowMs, all) => {
        const entry = all.get(RESULTS, receipt)
        if (entry === undefined || hasExpired(entry, nowMs)) return undefined
        return keptResultOf(entry.value, entry.expiresAtMs)
      }),
    redrive: (queue, which) => count({ command: 'redrive', queue, limit: 1, ...which }),
    discard: (queue, receipt) => count({ command: 'discard', queue, receipt }),
    queues: (after, limit) => reading(() => open().queues(after, limit)),
    lanes: queue => reading(() => open().lanes(queue)),
    async configure(queue, settings, bounds) {
      await partition.submit([{ command: 'configure', queue, settings, bounds }])
    },
    drop: async queue => (await count({ command: 'drop', queue })) > 0,
    async pause(queue, isPaused) {
      await partition.submit([{ command: isPaused ? 'pause' : 'resume', queue }])
      if (isPaused) dispatch.park(queue, 'paused')
      else {
        dispatch.unpark(queue, 'paused')
        follower?.ready(dispatch.lanes().filter(lane => lane.queue === queue))
      }
    },
    adopt: (from, { queue: to, functionId, namespace }) =>
      inPortions({ command: 'adopt', from, to, functionId, namespace, limit: limits.queueBatch }),
    cancel: receipt => count({ command: 'cancel', receipt }),
    purge: (queue, state) => inPortions({ command: 'purge', queue, state, limit: limits.queueBatch }),
    list: (queue, state, cursor, limit) =>
      reading(nowMs => {
        const page = listMessages(open(), nowMs, { queue, state, cursor, limit })
        return { found: page.messages.map(message => foundOf(message, nowMs)), cursor: page.cursor }
      }),
    follow(given) {
      follower = given
    },
    stop() {
      isStopped = true
      unfollow()
      cancelAlarm?.()
    },
  }
}
