/**
 * Messages that have no row yet. The log has them, and most are done before anything has to be looked for among the rows: those
 * never get one.
 *
 *     add ──▶ fresh ──done──▶ nowhere
 *               │ rows are looked for, there are many, it is dead, the tables are settled
 *               ▼
 *              row
 *
 * None of them is dead.
 */
import { limits } from '../../../protocol/limits.ts'
import type { Message } from '../../queue/message.ts'
import type { Undo } from './undo.ts'

export interface FreshMessage {
  readonly message: Message
  readonly checksum: number
}

export interface FreshMessages {
  isEmpty(): boolean
  get(number: number): FreshMessage | undefined
  byReceipt(receipt: string): Message | undefined
  oldestOfGroup(queue: string, group: string): Message | undefined
  /** Also in place of one with its number. */
  put(fresh: FreshMessage): void
  remove(fresh: FreshMessage): void
  /** They cost more memory than they may. */
  areMany(): boolean
  /** In the order of their numbers. */
  all(): FreshMessage[]
  /** None of them is fresh any more. */
  leaveAll(): void
  /** None is there, and nothing is taken back. */
  forgetAll(): void
}

const groupKey = (queue: string, group: string): string => `${queue.length}:${queue}${group}`

export function createFreshMessages(undo: Undo): FreshMessages {
  let byNumber = new Map<number, FreshMessage>()
  const receipts = new Map<string, number>()
  /** Numbers, the oldest first. */
  const groups = new Map<string, number[]>()
  let characters = 0

  function enter(fresh: FreshMessage): void {
    const { number, receipt, queue, group, data } = fresh.message
    const before = byNumber.get(number)
    byNumber.set(number, fresh)
    if (before !== undefined) return
    characters += data.length
    if (receipt !== undefined) receipts.set(receipt, number)
    if (group === undefined) return
    const key = groupKey(queue, group)
    const numbers = groups.get(key)
    if (numbers === undefined) groups.set(key, [number])
    else if (numbers.at(-1)! < number) numbers.push(number)
    else
      numbers.splice(
        numbers.findIndex(other => other > number),
        0,
        number,
      )
  }

  function leave({ message: { number, receipt, queue, group, data } }: FreshMessage): void {
    byNumber.delete(number)
    characters -= data.length
    if (receipt !== undefined) receipts.delete(receipt)
    if (group === undefined) return
    const key = groupKey(queue, group)
    const numbers = groups.get(key)!
    if (numbers.length === 1) groups.delete(key)
    else numbers.splice(numbers.indexOf(number), 1)
  }

  function clear(): void {
    byNumber = new Map()
    receipts.clear()
    groups.clear()
    characters = 0
  }

  return {
    isEmpty: () => byNumber.size === 0,
    get: number => byNumber.get(number),
    byReceipt(receipt) {
      const number = receipts.get(receipt)
      return number === undefined ? undefined : byNumber.get(number)!.message
    },
    oldestOfGroup(queue, group) {
      const number = groups.get(groupKey(queue, group))?.[0]
      return number === undefined ? undefined : byNumber.get(number)!.message
    },
    put(fresh) {
      const before = byNumber.get(fresh.message.number)
      enter(fresh)
      undo.push(before === undefined ? () => leave(fresh) : () => enter(before))
    },
    remove(fresh) {
      leave(fresh)
      undo.push(() => enter(fresh))
    },
    areMany: () => byNumber.size >= limits.freshMessages || characters >= limits.freshCharacters,
    all: () => [...byNumber.values()].sort((one, other) => one.message.number - other.message.number),
    leaveAll() {
      const left = [...byNumber.values()]
      clear()
      undo.push(() => {
        for (const fresh of left) enter(fresh)
      })
    },
    forgetAll: clear,
  }
}
