/**
 * Queues in the durable partition, on disk or in memory. Leases are in memory, and messages are rows: `core/dispatch.ts` knows who
 * has which. What ends in one turn of the event loop is one command of the partition.
 */
import type { Clock } from '../../../src/clock/clock.ts'
import type { Log } from '../../../src/log/log.ts'
import { limits } from '../../../src/protocol/limits.ts'
import type { Partition, SubmitLevel } from '../../../src/storage/partition.ts'
import type { AdoptCommand, PurgeCommand, QueueCommand } from '../../../src/storage/queue/command.ts'
import { messageOf } from '../../../src/storage/queue/deadLetter.ts'
import { deadPage } from '../../../src/storage/queue/deadPage.ts'
import { listMessages } from '../../../src/storage/queue/list.ts'
import type { FailureReport, Lane, Message, QueueChange } from '../../../src/storage/queue/message.ts'
import type { ReadQueueTables } from '../../../src/storage/queue/tables.ts'
import type { ReadTables } from '../../../src/storage/tables.ts'
import type { BackendSettings, Found, Outcome, Published, QueueBackend, QueueFollower } from '../backend.ts'
import { createDispatch } from '../core/dispatch.ts'
import { createLaneTimes } from '../core/laneTimes.ts'
import type { Lease } from '../core/lease.ts'
import { createMeter } from '../core/meter.ts'
import type { Ending } from '../core/verdict.ts'
import { publishCommands } from '../enqueueCommand.ts'
import { createAlarm } from './alarm.ts'
import { createEnds } from './ends.ts'
import { createResults } from './results.ts'
import { createSkew } from './skew.ts'
import { stateOf } from './state.ts'

export interface PartitionBackendParts extends BackendSettings {
  readonly partition: Partition
  readonly clock: Clock
  readonly log: Log
  /** The clock on the wall, milliseconds: messages are due by it. */
  readonly wallClock: () => number
  /** From 0 to, and without, 1: of the jitter. */
  readonly random: () => number
  /** Of all results together; for tests. Default `queueResultsBytes`. */
  readonly resultsBytes?: number
  /** Never the same twice, over all starts of the engine. */
  readonly epoch: string
}

const OVER: Promise<Outcome> = Promise.resolve('over')

interface AllQueues {
  readonly lanes: readonly Lane[]
  /** Names of those that are paused. */
  readonly paused: ReadonlySet<string>
}

function allQueues(tables: Pick<ReadQueueTables, 'queues' | 'lanes'>): AllQueues {
  const lanes: Lane[] = []
  const paused = new Set<string>()
  for (let after: string | undefined; ; ) {
    const page = tables.queues(after, limits.queuePage)
    for (const { name, isPaused } of page) {
      lanes.push(...tables.lanes(name))
      if (isPaused) paused.add(name)
    }
    if (page.length < limits.queuePage) return { lanes, paused }
    after = page.at(-1)!.name
  }
}

export function createPartitionBackend(parts: PartitionBackendParts): QueueBackend {
  const { partition, clock, wallClock, random, epoch, concurrencyOf, resultMsOf } = parts
  const { resultsBytes = limits.queueResultsBytes } = parts
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
  /** What was read may be in doubt when it is to be told: then it is read again, and nobody has what was leased before. */
  function leasing(take: (nowMs: number) => readonly Lease[]): readonly Lease[] | Promise<readonly Lease[]> {
    let leases: readonly Lease[] = []
    function giveBack(): void {
      for (const { token } of leases) dispatch.giveBack(token)
      leases = []
    }
    const taken = reading(nowMs => {
      giveBack()
      leases = take(nowMs)
      return leases
    })
    if (!(taken instanceof Promise)) return taken
    return taken.catch(error => {
      giveBack()
      throw error
    })
  }
  const open = () => tables!
  const dispatch = createDispatch({
    tables: {
      ready: (...query) => open().ready(...query),
      due: (...query) => open().due(...query),
      nextDueMs: (...query) => open().nextDueMs(...query),
      oldest: (...query) => open().oldest(...query),
      get: number => open().get(number),
    },
    concurrencyOf,
    epoch,
    windowSize: limits.queueWindow,
    mostSetAside: limits.queueSetAside,
    mostCharacters: limits.queueWindowLength,
    lanesRemembered: limits.queueNamesKept,
  })
  const meter = createMeter(clock.now, limits.queueRatesKept)
  let follower: QueueFollower | undefined
  const results = createResults({ partition, clock, mostBytes: resultsBytes })
  const ends = createEnds({
    partition,
    clock,
    wallClock,
    random,
    dispatch,
    meter,
    available,
    results,
    resultMsOf,
  })
  const times = createLaneTimes()
  const wasSet = createSkew(clock, wallClock)
  const alarm = createAlarm({ clock, wallClock: onWall, ring })
  let isTidying = false
  let isStopped = false

  /** The clock on the wall. If it was set, leases go on for as long as they were to. */
  function onWall(): number {
    const setMs = wasSet()
    if (setMs !== 0) {
      dispatch.moveLeases(setMs)
      alarm.at(dispatch.nextExpiryMs())
    }
    return wallClock()
  }

  const unfollow = partition.follow(({ messages = [], queues = [] }) => {
    if (isStopped) return
    for (const change of queues) toldOfQueue(change)
    const touched = dispatch.changed(messages)
    for (const { event, message } of messages) {
      if (event !== 'gone') lookAt(message, message.dueAtMs)
      else {
        // Whoever has it does not know: what it returns is nobody's.
        const lease = dispatch.leaseOf(message.number)
        if (lease !== undefined) ends.removed(lease)
        follower?.gone?.(message)
      }
    }
    if (touched.size > 0) follower?.ready(touched.values())
    tellFreed()
    tidy()
  })

  /** What the tables say of a queue as a whole. */
  function toldOfQueue(change: QueueChange): void {
    switch (change.event) {
      case 'paused':
        dispatch.park(change.queue, 'paused')
        break
      case 'resumed':
        dispatch.unpark(change.queue, 'paused')
        follower?.ready(dispatch.lanes(change.queue))
        break
      case 'dropped':
        dispatch.unpark(change.queue, 'paused')
        break
      case 'adopted': {
        const { queue, to, isPaused } = change
        dispatch.unpark(queue, 'paused')
        if (isPaused) dispatch.park(to.queue, 'paused')
        else dispatch.unpark(to.queue, 'paused')
        dispatch.adopted(queue, to)
        follower?.ready(dispatch.lanes(to.queue))
        break
      }
      case 'unheard':
        // What was written is not known. Before anything else is handed out, but when this was told: then the tables can be read.
        dispatch.forget()
        queueMicrotask(readAnew)
    }
  }

  /** Lanes without messages do not stay for ever: a program may have a queue for each thing that it does. */
  function tidy(): void {
    if (isTidying || !dispatch.isCrowded()) return
    isTidying = true
    const over = (): void => {
      isTidying = false
    }
    // The tables may be ahead of what was told, never behind it.
    const tidied = reading(() => {
      const idle = dispatch.idle()
      follower?.idle?.(idle)
      dispatch.forgetLanes(idle)
    })
    if (tidied instanceof Promise) tidied.then(over, over)
    else over()
  }

  /** Messages that could not be had before may be had now: their keys were full, or nobody knows where they are. */
  function tellFreed(): void {
    const lanes = dispatch.freed()
    if (lanes.length > 0) follower?.ready(lanes)
  }

  function lookAt(lane: Lane, dueAtMs: number | undefined): void {
    if (dueAtMs === undefined) return
    times.add(lane, dueAtMs)
    alarm.at(dueAtMs)
  }

  function ring(): void {
    const nowMs = onWall()
    const expired = dispatch.expired(nowMs)
    tellFreed()
    for (const lease of expired) {
      const report = {
        atMs: Math.floor(nowMs),
        code: 'lease_expired',
        message: 'The lease ran out before the message was done; handlers that take longer extend it',
      }
      void ends.end(lease, { kind: 'failed', report })
      follower?.expired(lease)
    }
    // Whoever takes from them says when the next message is due.
    const due = times.take(nowMs)
    if (due.length > 0) follower?.ready(due)
    alarm.at(times.nextMs())
    alarm.at(dispatch.nextExpiryMs())
  }

  /** There may be messages in lanes that nobody has heard of, and queues may be paused of which nobody has heard that. */
  function readAnew(): void {
    if (isStopped) return
    const told = ({ lanes, paused }: AllQueues): void => {
      for (const queue of dispatch.parked('paused')) if (!paused.has(queue)) dispatch.unpark(queue, 'paused')
      for (const queue of paused) dispatch.park(queue, 'paused')
      follower?.ready(lanes)
    }
    const found = reading(() => allQueues(open()))
    if (!(found instanceof Promise)) told(found)
    else found.then(told, () => clock.after(limits.storageRetryMs, readAnew))
  }

  function available(lanes: readonly Lane[]): void {
    if (isStopped) return
    follower?.ready(lanes)
    tellFreed()
  }

  function end(token: string, ending: Ending, level: SubmitLevel = 'disk'): Promise<Outcome> {
    const lease = dispatch.end(token)
    tellFreed()
    return lease === undefined ? OVER : ends.end(lease, ending, level)
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
        alarm.at(leases[0]?.untilMs)
        if (dispatch.isCrowded()) queueMicrotask(tidy)
        // Filled: otherwise it takes more before long, and then it is looked at. So it is while messages are left that are due.
        if (dispatch.isFilled(lane, nowMs)) lookAt(lane, dispatch.nextDueMs(lane, nowMs, mayRead))
        return leases
      }
      const nowMs = Math.floor(onWall())
      if (!dispatch.isFilled(lane, nowMs))
        return leasing(nowMs => {
          // The clock may have been set while the store could not be read.
          onWall()
          return take(nowMs, true)
        })
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
      ends.givenBack(lease)
      tellFreed()
      follower?.ready([lease.message])
      return true
    },
    extend(token, leaseMs) {
      const untilMs = Math.floor(onWall()) + leaseMs
      if (!dispatch.extend(token, untilMs)) return undefined
      alarm.at(untilMs)
      return untilMs
    },
    lease: token => dispatch.get(token),
    leave(holder, report: FailureReport) {
      for (const lease of dispatch.leave(holder)) void ends.end(lease, { kind: 'lost', report })
      tellFreed()
    },
    park: (of, parking) => dispatch.park(of, parking),
    unpark: (of, parking) => dispatch.unpark(of, parking),
    state: queue => reading(nowMs => stateOf(queue, { tables: open(), dispatch, meter, nowMs })),
    dead: (queues, offset, limit) => reading(() => deadPage(open(), queues, offset, limit)),
    find: receipt =>
      reading(nowMs => {
        const message = messageOf(open(), receipt)
        return message && foundOf(message, nowMs)
      }),
    result: receipt => reading((nowMs, all) => results.get(all, receipt, nowMs)),
    redrive: (queue, which) => count({ command: 'redrive', queue, limit: 1, ...which }),
    discard: (queue, receipt) => count({ command: 'discard', queue, receipt }),
    queues: (after, limit) => reading(() => open().queues(after, limit)),
    lanes: queue => reading(() => open().lanes(queue)),
    async configure(queue, settings, bounds) {
      await partition.submit([{ command: 'configure', queue, settings, bounds }])
    },
    drop: async queue => (await count({ command: 'drop', queue })) > 0,
    async pause(queue, isPaused) {
      // Of what becomes of it this hears as everybody does.
      await partition.submit([{ command: isPaused ? 'pause' : 'resume', queue }])
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
      alarm.stop()
      results.stop()
    },
  }
}
