/**
 * What queues mean, as plainly as it can be said: one list of messages, looked through anew for every question. It has no
 * index, no head of a group and no code of the real one.
 */
import type { AdoptCommand, PurgeCommand, QueueCommand } from '../../../src/storage/queue/command.ts'
import type { MessageState } from '../../../src/storage/queue/list.ts'
import type { QueueBounds } from '../../../src/storage/queue/tables.ts'

interface Item {
  readonly number: number
  queue: string
  readonly receipt: string
  readonly group: string | undefined
  readonly priority: number
  dueAtMs: number
  failures: number
  deadAtMs: number | undefined
}

export interface Model {
  /** `numberOf`: the number that the real one has given to a message, if this publishes one. Returns how many. */
  run(command: QueueCommand, nowMs: number, given: { number: number; receipt: string } | undefined): number
  /** Numbers of what may be leased at a time, in order. */
  available(queue: string, nowMs: number): number[]
  /** Numbers of the dead, latest first. */
  dead(queue: string): number[]
  waiting(queue: string): number
  /** Numbers, smallest first. */
  inState(queue: string, state: MessageState, nowMs: number): number[]
  queues(): string[]
  isPaused(queue: string): boolean
  /** It has as many messages as it may have. */
  isFull(queue: string): boolean
  failures(number: number): number | undefined
  numbers(): number[]
  receipts(): string[]
}

export function createModel(): Model {
  let items: Item[] = []
  const paused = new Map<string, boolean>()
  const bounds = new Map<string, QueueBounds>()
  let used: { queue: string; key: string; untilMs: number }[] = []

  const alive = (): Item[] => items.filter(({ deadAtMs }) => deadAtMs === undefined)
  const deadOf = (queue: string): Item[] =>
    items
      .filter(item => item.queue === queue && item.deadAtMs !== undefined)
      .sort((one, other) => other.deadAtMs! - one.deadAtMs! || other.number - one.number)

  /** Which message of a group goes first is decided when the one before it leaves, and not again. */
  const heads = new Map<string, number>()
  const groupId = ({ queue, group }: Pick<Item, 'queue' | 'group'>): string => JSON.stringify([queue, group])

  function isBehindAnother(item: Item): boolean {
    if (item.group === undefined) return false
    const mates = alive().filter(other => groupId(other) === groupId(item))
    const head = mates.find(({ number }) => number === heads.get(groupId(item)))
    if (head !== undefined) return head !== item
    const oldest = mates.reduce((one, other) => (one.number < other.number ? one : other))
    heads.set(groupId(item), oldest.number)
    return oldest !== item
  }

  /** Settles the heads of all groups. */
  function settle(): void {
    const living = new Set(alive().map(({ number }) => number))
    for (const [id, number] of heads) if (!living.has(number)) heads.delete(id)
    for (const item of alive()) isBehindAnother(item)
  }

  function stateOf(item: Item, nowMs: number): MessageState {
    if (item.deadAtMs !== undefined) return 'dead'
    if (isBehindAnother(item)) return 'behind'
    if (item.dueAtMs <= nowMs) return 'ready'
    return item.failures > 0 ? 'backing_off' : 'scheduled'
  }

  function adopt({ from, to }: AdoptCommand): number {
    if (from === to || !paused.has(from)) return 0
    const found = items.filter(({ queue }) => queue === from)
    if (found.length === 0) return 0
    const isTaken = [...items, ...used].some(({ queue }) => queue === to)
    for (const item of found) {
      const id = groupId({ ...item, queue: to })
      if (item.deadAtMs === undefined && !isBehindAnother(item) && !heads.has(id)) heads.set(id, item.number)
    }
    for (const item of found) item.queue = to
    if (isTaken) return found.length
    // The target has kept what it was told, and the keys are those of the source: it had none.
    for (const one of used) if (one.queue === from) one.queue = to
    if (!paused.has(to)) {
      paused.set(to, paused.get(from)!)
      bounds.set(to, bounds.get(from) ?? {})
    }
    paused.delete(from)
    bounds.delete(from)
    return found.length
  }

  /** As one step does it that looks at everything. */
  function purge({ queue, state }: PurgeCommand, nowMs: number): number {
    const gone = items.filter(
      item => item.queue === queue && (state === undefined || stateOf(item, nowMs) === state),
    )
    items = items.filter(item => !gone.includes(item))
    return gone.length
  }

  function changeQueue(command: QueueCommand, nowMs: number): number | undefined {
    switch (command.command) {
      case 'adopt':
        return adopt(command)
      case 'purge':
        return purge(command, nowMs)
      case 'cancel': {
        const { receipt, number } = command
        const found = alive().find(item => item.receipt === receipt || item.number === number)
        items = items.filter(item => item !== found)
        return found === undefined ? 0 : 1
      }
      case 'pause':
      case 'resume': {
        const isPaused = command.command === 'pause'
        if ((paused.get(command.queue) ?? false) === isPaused) return 0
        paused.set(command.queue, isPaused)
        return 1
      }
      case 'drop': {
        const { queue: name } = command
        if (!paused.has(name) || items.some(({ queue }) => queue === name)) return 0
        paused.delete(name)
        bounds.delete(name)
        used = used.filter(({ queue }) => queue !== name)
        return 1
      }
      case 'configure': {
        const { queue: name, bounds: wanted = {} } = command
        const isSame = paused.has(name) && Bun.deepEquals(bounds.get(name) ?? {}, wanted)
        if (isSame) return 0
        if (!paused.has(name)) paused.set(name, false)
        bounds.set(name, wanted)
        return 1
      }
      default:
        return undefined
    }
  }

  function change(command: QueueCommand, nowMs: number, given?: { number: number; receipt: string }): number {
    if (command.command === 'enqueue') {
      const { queue, dedupe } = command
      const isUsed = used.some(one => one.queue === queue && one.key === dedupe?.key && one.untilMs > nowMs)
      if (isUsed || items.some(({ receipt }) => receipt === command.receipt)) return 0
      if (dedupe !== undefined) used.push({ queue, key: dedupe.key, untilMs: nowMs + dedupe.windowMs })
      const { group, priority = 0, dueAtMs = 0 } = command
      if (!paused.has(queue)) paused.set(queue, false)
      items.push({ ...given!, queue, group, priority, dueAtMs, failures: 0, deadAtMs: undefined })
      return 1
    }
    if (command.command === 'finish' || command.command === 'fail') {
      const item = alive().find(({ number }) => number === command.number)
      if (item === undefined) return 0
      if (command.command === 'finish') items = items.filter(other => other !== item)
      else {
        item.failures++
        item.dueAtMs = typeof command.next === 'number' ? command.next : 0
        if (command.next === 'never') {
          item.deadAtMs = nowMs
          const { dead: most = Number.POSITIVE_INFINITY } = bounds.get(item.queue) ?? {}
          const over = deadOf(item.queue).slice(most)
          items = items.filter(other => !over.includes(other))
        }
      }
      return 1
    }
    if (command.command !== 'redrive' && command.command !== 'discard') return changeQueue(command, nowMs)!
    const { queue, receipt } = command
    const oldestFirst = deadOf(queue).reverse()
    const limit = command.command === 'redrive' ? command.limit : 1
    const found =
      receipt === undefined
        ? oldestFirst.slice(0, limit)
        : oldestFirst.filter(item => item.receipt === receipt)
    if (command.command === 'discard') items = items.filter(item => !found.includes(item))
    else for (const item of found) Object.assign(item, { failures: 0, dueAtMs: 0, deadAtMs: undefined })
    return found.length
  }

  return {
    run(command, nowMs, given) {
      const count = change(command, nowMs, given)
      settle()
      return count
    },
    available: (queue, nowMs) =>
      alive()
        .filter(item => item.queue === queue && item.dueAtMs <= nowMs && !isBehindAnother(item))
        .sort((one, other) => other.priority - one.priority || one.number - other.number)
        .map(({ number }) => number),
    dead: queue => deadOf(queue).map(({ number }) => number),
    inState: (queue, state, nowMs) =>
      items
        .filter(item => item.queue === queue && stateOf(item, nowMs) === state)
        .map(({ number }) => number)
        .sort((one, other) => one - other),
    queues: () => [...paused.keys()],
    isPaused: queue => paused.get(queue) ?? false,
    isFull: queue =>
      alive().filter(item => item.queue === queue).length >=
      (bounds.get(queue)?.messages ?? Number.POSITIVE_INFINITY),
    waiting: queue => alive().filter(item => item.queue === queue).length,
    failures: number => items.find(item => item.number === number)?.failures,
    numbers: () => items.map(({ number }) => number),
    receipts: () => items.map(({ receipt }) => receipt),
  }
}
