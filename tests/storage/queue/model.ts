/**
 * What queues mean, as plainly as it can be said: one list of messages, looked through anew for every question. It has no
 * index, no head of a group and no code of the real one.
 */
import type { QueueCommand } from '../../../src/storage/queue/command.ts'

interface Item {
  readonly number: number
  readonly queue: string
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
  failures(number: number): number | undefined
  numbers(): number[]
  receipts(): string[]
}

export function createModel(): Model {
  let items: Item[] = []
  const used: { queue: string; key: string; untilMs: number }[] = []

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

  function change(command: QueueCommand, nowMs: number, given?: { number: number; receipt: string }): number {
    if (command.command === 'enqueue') {
      const { queue, dedupe } = command
      const isUsed = used.some(one => one.queue === queue && one.key === dedupe?.key && one.untilMs > nowMs)
      if (isUsed || items.some(({ receipt }) => receipt === command.receipt)) return 0
      if (dedupe !== undefined) used.push({ queue, key: dedupe.key, untilMs: nowMs + dedupe.windowMs })
      const { group, priority = 0, dueAtMs = 0 } = command
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
        if (command.next === 'never') item.deadAtMs = nowMs
      }
      return 1
    }
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
    waiting: queue => alive().filter(item => item.queue === queue).length,
    failures: number => items.find(item => item.number === number)?.failures,
    numbers: () => items.map(({ number }) => number),
    receipts: () => items.map(({ receipt }) => receipt),
  }
}
