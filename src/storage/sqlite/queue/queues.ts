/**
 * Queues and their lanes have numbers, under which their messages stand, and counts. All that were used are in memory; counts are
 * written when the tables are settled, not for each message.
 */
import { asJsonText } from '../../../protocol/jsonText.ts'
import type { KeptState, Lane } from '../../queue/message.ts'
import { NO_BOUNDS, type QueueBounds, type QueueRow } from '../../queue/tables.ts'
import { CorruptData } from '../../storageError.ts'
import { storable, unstorable } from '../../text.ts'
import { textChecksum } from '../checksums.ts'
import { type Session, using } from '../session.ts'
import type { LaneRow, StoredQueueRow } from './statements.ts'
import type { Undo } from './undo.ts'

type Counts = Record<KeptState | 'bytes', number>

export interface KnownQueue {
  readonly id: number
  readonly name: string
  readonly isPaused: boolean
  readonly settings: QueueRow['settings']
  readonly bounds: QueueBounds
  readonly lanes: KnownLane[]
  /** In the transaction that is open. */
  readonly counts: Counts
  /** The stretch in which its counts were kept for undoing; and whether they are to be written. */
  countedIn: number
  isTouched: boolean
}

export interface KnownLane {
  readonly id: number
  readonly queue: KnownQueue
  readonly functionId: string | undefined
  readonly namespace: string | undefined
}

export interface Queues {
  find(name: string): KnownQueue | undefined
  /** Those whose names come after one, in order. */
  list(after: string | undefined, limit: number): KnownQueue[]
  findLane(lane: Lane): KnownLane | undefined
  /** It is not there. */
  addLane(lane: Lane): KnownLane
  laneOfId(id: number): KnownLane
  count(queue: KnownQueue, state: KeptState, bytes: number, by: 1 | -1): void
  /** Makes the queue, or changes what it has beside its counts. */
  keep(queue: Omit<QueueRow, 'counts'>): void
  rename(queue: KnownQueue, lane: Lane): void
  drop(queue: KnownQueue): void
  dropLane(lane: KnownLane): void
  /** How many there are. */
  size(): number
  /** The next ones, and those of the lanes of a queue; after the last comes the first. */
  next(count: number): KnownQueue[]
  nextLanes(queue: KnownQueue, count: number): KnownLane[]
  /** Before the tables are settled. */
  keepCounts(): void
  /** The database is another one. */
  forgetAll(): void
}

/** Of more than these it is not looked at one after the other. */
const FEW_LANES = 8

/** Of a lane within its queue. */
const keyOf = ({ functionId, namespace }: Pick<KnownLane, 'functionId' | 'namespace'>): string =>
  `${functionId === undefined ? '' : `f${functionId.length}:${functionId}`}${namespace === undefined ? '' : `n${namespace}`}`

const checksumOf = (row: Omit<StoredQueueRow, 'checksum'>): number => {
  const { id, name, is_paused, settings, bounds, ready, timed, behind, dead, bytes } = row
  return textChecksum(id, name, is_paused, settings ?? '\0', bounds, ready, timed, behind, dead, bytes)
}

const laneChecksumOf = ({ id, queue, function_id, namespace }: Omit<LaneRow, 'checksum'>): number =>
  textChecksum(id, queue, function_id ?? '\0', namespace ?? '\0')

export function createQueues(session: Session, undo: Undo): Queues {
  const byName = new Map<string, KnownQueue>()
  const byId = new Map<number, KnownLane>()
  /** Of queues with many lanes. */
  const indexes = new WeakMap<readonly KnownLane[], Map<string, KnownLane>>()
  /** Those whose counts are not written yet. */
  let touched: KnownQueue[] = []
  /** Absent: not counted yet. */
  let size: number | undefined
  let walkedTo: string | undefined
  /** By the ids of queues. */
  const walkedLanes = new Map<number, number>()

  const newId = (): number => {
    session.totals.messages.isTouched = true
    return ++session.totals.messages.lastId
  }

  function remember(queue: KnownQueue): KnownQueue {
    byName.set(queue.name, queue)
    for (const lane of queue.lanes) byId.set(lane.id, lane)
    return queue
  }

  function forget(queue: KnownQueue): void {
    byName.delete(queue.name)
    for (const { id } of queue.lanes) byId.delete(id)
    if (!queue.isTouched) return
    queue.isTouched = false
    touched = touched.filter(other => other !== queue)
  }

  /** What was counted before the step that is undone is not written. */
  function restore(queue: KnownQueue): void {
    remember(queue)
    touch(queue)
  }

  function touch(queue: KnownQueue): void {
    if (queue.isTouched) return
    queue.isTouched = true
    touched.push(queue)
  }

  function knownOf(row: StoredQueueRow): KnownQueue {
    if (checksumOf(row) !== row.checksum) {
      throw new CorruptData(
        `The name, settings or counts of queue ${row.id} are not what was written. Restore a backup.`,
      )
    }
    const { id, settings, bounds, ready, timed, behind, dead, bytes } = row
    const queue: KnownQueue = {
      id,
      name: unstorable(row.name),
      isPaused: row.is_paused !== 0,
      settings: settings === null ? undefined : asJsonText(settings),
      bounds: bounds === '{}' ? NO_BOUNDS : (JSON.parse(bounds) as QueueBounds),
      lanes: [],
      counts: { ready, timed, behind, dead, bytes },
      countedIn: 0,
      isTouched: false,
    }
    for (const lane of using(session, ({ ask }) => ask.lanesOfQueue.all(id)))
      queue.lanes.push(knownLaneOf(queue, lane))
    return remember(queue)
  }

  function find(name: string): KnownQueue | undefined {
    const known = byName.get(name)
    if (known !== undefined) return known
    const row = using(session, ({ ask }) => ask.queue.get(storable(name)))
    return row === null ? undefined : knownOf(row)
  }

  function rowOf({ id, name, isPaused, settings, bounds, counts }: KnownQueue): StoredQueueRow {
    const { ready, timed, behind, dead, bytes } = counts
    const row = {
      id,
      name: storable(name),
      is_paused: isPaused ? 1 : 0,
      settings: settings ?? null,
      bounds: JSON.stringify(bounds),
      ready,
      timed,
      behind,
      dead,
      bytes,
    }
    return { ...row, checksum: checksumOf(row) }
  }

  /** Writes all of it. `before`: what is known in its place if the transaction is undone. */
  function write(queue: KnownQueue, before: KnownQueue | undefined): void {
    const row = rowOf(queue)
    const { id, name, is_paused, settings, bounds, ready, timed, behind, dead, bytes, checksum } = row
    using(session, ({ ask }) =>
      ask.keepQueue.run(id, name, is_paused, settings, bounds, ready, timed, behind, dead, bytes, checksum),
    )
    session.totals.messages.isTouched = true
    if (before !== undefined) forget(before)
    remember(queue)
    undo.push(() => {
      forget(queue)
      if (before !== undefined) restore(before)
    })
  }

  /** A queue is not changed but replaced, and its lanes with it. */
  function replaced(
    before: KnownQueue,
    changed: Partial<Pick<KnownQueue, 'name' | 'isPaused' | 'settings' | 'bounds'>>,
  ): KnownQueue {
    const queue: KnownQueue = {
      ...before,
      ...changed,
      lanes: [],
      counts: { ...before.counts },
      countedIn: 0,
      isTouched: false,
    }
    for (const lane of before.lanes) queue.lanes.push({ ...lane, queue })
    return queue
  }

  function add(queue: Pick<KnownQueue, 'name' | 'isPaused' | 'settings' | 'bounds'>): KnownQueue {
    const counts = { ready: 0, timed: 0, behind: 0, dead: 0, bytes: 0 }
    const added: KnownQueue = { ...queue, id: newId(), lanes: [], counts, countedIn: 0, isTouched: false }
    grow(1)
    write(added, undefined)
    return added
  }

  function grow(by: 1 | -1): void {
    if (size === undefined) return
    size += by
    undo.push(() => {
      if (size !== undefined) size -= by
    })
  }

  function list(after: string | undefined, limit: number): KnownQueue[] {
    const rows = using(session, ({ ask }) =>
      after === undefined ? ask.queuesFrom.all('', limit) : ask.queuesAfter.all(storable(after), limit),
    )
    return rows.map(row => byName.get(unstorable(row.name)) ?? knownOf(row))
  }

  function findLane(wanted: Lane): KnownLane | undefined {
    const lanes = find(wanted.queue)?.lanes
    if (lanes === undefined) return undefined
    if (lanes.length > FEW_LANES) return indexOf(lanes).get(keyOf(wanted))
    const { functionId, namespace } = wanted
    for (const lane of lanes) {
      if (lane.functionId === functionId && lane.namespace === namespace) return lane
    }
    return undefined
  }

  function indexOf(lanes: readonly KnownLane[]): Map<string, KnownLane> {
    let index = indexes.get(lanes)
    if (index?.size === lanes.length) return index
    index = new Map(lanes.map(lane => [keyOf(lane), lane]))
    indexes.set(lanes, index)
    return index
  }

  function writeLane({ id, queue, functionId, namespace }: KnownLane): void {
    const row = { id, queue: queue.id, function_id: stored(functionId), namespace: stored(namespace) }
    using(session, ({ ask }) =>
      ask.keepLane.run(id, row.queue, row.function_id, row.namespace, laneChecksumOf(row)),
    )
  }

  function addLane({ queue: name, functionId, namespace }: Lane): KnownLane {
    const queue = find(name) ?? add({ name, isPaused: false, settings: undefined, bounds: NO_BOUNDS })
    const lane: KnownLane = { id: newId(), queue, functionId, namespace }
    writeLane(lane)
    queue.lanes.push(lane)
    indexes.get(queue.lanes)?.set(keyOf(lane), lane)
    byId.set(lane.id, lane)
    undo.push(() => {
      queue.lanes.splice(queue.lanes.indexOf(lane), 1)
      indexes.delete(queue.lanes)
      byId.delete(lane.id)
    })
    return lane
  }

  function keepForUndoing(queue: KnownQueue): void {
    const { countedIn } = queue
    const counts = { ...queue.counts }
    queue.countedIn = undo.stretch()
    undo.push(() => {
      Object.assign(queue.counts, counts)
      queue.countedIn = countedIn
    })
  }

  return {
    find,
    list,
    findLane,
    addLane,
    laneOfId(id) {
      const known = byId.get(id)
      if (known !== undefined) return known
      const row = using(session, ({ ask }) => ask.queueOfLane.get(id))
      if (row !== null) knownOf(row)
      const lane = byId.get(id)
      if (lane === undefined)
        throw new CorruptData(`Lane ${id} of a queue has messages, but no name. Restore a backup.`)
      return lane
    },
    count(queue, state, bytes, by) {
      if (queue.countedIn !== undo.stretch()) keepForUndoing(queue)
      queue.counts[state] += by
      if (state !== 'dead') queue.counts.bytes += by * bytes
      touch(queue)
    },
    keep({ name, isPaused, settings, bounds }) {
      const before = find(name)
      if (before === undefined) add({ name, isPaused, settings, bounds })
      else write(replaced(before, { isPaused, settings, bounds }), before)
    },
    rename(before, { queue: name, functionId, namespace }) {
      const queue = replaced(before, { name })
      for (const [place, lane] of queue.lanes.entries()) {
        if (lane.functionId !== undefined || lane.namespace !== undefined) continue
        const named = { ...lane, functionId, namespace }
        queue.lanes[place] = named
        writeLane(named)
      }
      write(queue, before)
    },
    drop(queue) {
      using(session, ({ ask }) => {
        ask.dropLanes.run(queue.id)
        ask.dropQueue.run(queue.id)
      })
      session.totals.messages.isTouched = true
      forget(queue)
      walkedLanes.delete(queue.id)
      undo.push(() => restore(queue))
      grow(-1)
    },
    dropLane(lane) {
      using(session, ({ ask }) => ask.dropLane.run(lane.id))
      session.totals.messages.isTouched = true
      const { lanes } = lane.queue
      const place = lanes.indexOf(lane)
      lanes.splice(place, 1)
      byId.delete(lane.id)
      undo.push(() => {
        lanes.splice(place, 0, lane)
        byId.set(lane.id, lane)
      })
    },
    size() {
      size ??= using(session, ({ ask }) => ask.countQueues.get('')!.count)
      return size
    },
    next(count) {
      const found = list(walkedTo, count)
      walkedTo = found.length < count ? undefined : found.at(-1)!.name
      return found
    },
    nextLanes({ id, lanes }, count) {
      const from = walkedLanes.get(id) ?? 0
      walkedLanes.set(id, from + count < lanes.length ? from + count : 0)
      return lanes.slice(from, from + count)
    },
    keepCounts() {
      using(session, ({ ask }) => {
        for (const queue of touched) {
          const { id, ready, timed, behind, dead, bytes, checksum } = rowOf(queue)
          ask.keepCounts.run(id, ready, timed, behind, dead, bytes, checksum)
        }
      })
      forgetTouched()
    },
    forgetAll() {
      byName.clear()
      byId.clear()
      size = undefined
      walkedLanes.clear()
      forgetTouched()
    },
  }

  function forgetTouched(): void {
    for (const queue of touched) queue.isTouched = false
    touched = []
  }
}

const stored = (text: string | undefined): string | null => (text === undefined ? null : storable(text))
const read = (text: string | null): string | undefined => (text === null ? undefined : unstorable(text))

function knownLaneOf(queue: KnownQueue, row: LaneRow): KnownLane {
  if (laneChecksumOf(row) !== row.checksum) {
    throw new CorruptData(`The name of lane ${row.id} of a queue is not what was written. Restore a backup.`)
  }
  return { id: row.id, queue, functionId: read(row.function_id), namespace: read(row.namespace) }
}
