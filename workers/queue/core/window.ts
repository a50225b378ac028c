/**
 * The next messages of one lane of a queue: a cache of what the tables have, told of every commit.
 *
 *      in the tables, in order     ●●●●●●●●●●│●●●●●●●●●●●●●●●●●●●●
 *                                  busy, here│ not looked at yet
 *                                            └ end
 *
 * Up to its end everything is in the window or with somebody (`isBusy`); behind it, only in the tables. So a queue costs
 * the memory of a window, however long it is. Messages with a time have a window of their own, in the order of their times.
 */
import {
  comparePlaces,
  type Lane,
  lengthOf,
  type Message,
  type Place,
} from '../../../src/storage/queue/message.ts'
import { type DuePlace, MAX_DUE, type ReadQueueTables } from '../../../src/storage/queue/tables.ts'

export interface Window {
  /** Nothing has to be read to know what comes next. */
  isFilled(nowMs: number): boolean
  /** Takes the next one out. `undefined`: nothing is ready; or, if nothing may be read, nothing that is known of. */
  take(nowMs: number, mayRead: boolean): Message | undefined
  /** The oldest of the lane whatever its priority, if it has no time. */
  takeOldest(): Message | undefined
  /** It was taken out and is not busy any more. */
  putBack(message: Message): void
  /** It may be leased, from its time on if it has one. */
  placed(message: Message): void
  /** It may not be any more. */
  gone(message: Message): void
  /** The lane has no messages that may be leased, now or later. May read. */
  isEmpty(): boolean
  /** When the next message is due that is not yet; without reading, if that is known. */
  nextDueMs(nowMs: number, mayRead?: boolean): number | undefined
}

export interface WindowOptions {
  readonly lane: Lane
  readonly tables: Pick<ReadQueueTables, 'ready' | 'due' | 'nextDueMs' | 'oldest' | 'get'>
  readonly isBusy: (number: number) => boolean
  /** Messages that are looked for at once. */
  readonly size: number
  /** Characters of them (`lengthOf`); one message may have more. */
  readonly most: number
}

type Compare = (one: Message, other: Message) => number

const compareDue = (one: DuePlace, other: DuePlace): number =>
  one.dueAtMs - other.dueAtMs || one.number - other.number
const duePlace = ({ dueAtMs, number }: Message): DuePlace => ({ dueAtMs: dueAtMs!, number })
const byDue: Compare = (one, other) => compareDue(duePlace(one), duePlace(other))

export function createWindow({ lane, tables, isBusy, size, most }: WindowOptions): Window {
  const ready: Message[] = []
  const due: Message[] = []
  /** Numbers of both, and their characters. */
  const inside = new Set<number>()
  let characters = 0
  /** Absent: nothing was looked at yet. */
  let end: Place | undefined
  /** The tables have nothing behind the end. */
  let isWhole = false
  let dueEnd: DuePlace | undefined
  /** No message behind `dueEnd` is due before; it may be later. */
  let nextDue = Number.NEGATIVE_INFINITY

  function push(list: Message[], message: Message): void {
    inside.add(message.number)
    characters += lengthOf(message)
    list.push(message)
  }

  function shift(list: Message[]): Message | undefined {
    const message = list.shift()
    if (message !== undefined) isOut(message)
    return message
  }

  function isOut(message: Message): void {
    inside.delete(message.number)
    characters -= lengthOf(message)
  }

  /** How many of those that are ready may stay: one, whatever its size. */
  function fitting(): number {
    let length = 0
    for (const [place, message] of ready.entries()) {
      length += lengthOf(message)
      if (place >= size || (length > most && place > 0)) return place
    }
    return ready.length
  }

  /** There is nothing behind it: it was ended neither by its number nor by its size. */
  const isLast = (page: readonly Message[]): boolean =>
    page.length < size && page.reduce((sum, message) => sum + lengthOf(message), 0) <= most

  function fill(): void {
    while (ready.length === 0 && !isWhole) {
      const page = tables.ready(lane, end, size, most)
      for (const message of page) if (!isBusy(message.number)) push(ready, message)
      end = page.at(-1) ?? end
      isWhole = isLast(page)
    }
  }

  function fillDue(nowMs: number): void {
    while (due.length === 0 && nextDue <= nowMs) {
      const page = tables.due(lane, nowMs, dueEnd, size, most)
      for (const message of page) if (!isBusy(message.number)) push(due, message)
      const last = page.at(-1)
      if (last !== undefined) dueEnd = duePlace(last)
      if (isLast(page)) nextDue = tables.nextDueMs(lane, nowMs) ?? Number.POSITIVE_INFINITY
    }
  }

  function insert(list: Message[], message: Message, compare: Compare): void {
    inside.add(message.number)
    characters += lengthOf(message)
    list.splice(placeOf(list, message, compare), 0, message)
  }

  function add(message: Message): void {
    if (message.dueAtMs !== undefined) {
      const isSeen = dueEnd !== undefined && compareDue(duePlace(message), dueEnd) <= 0
      if (isSeen) insert(due, message, byDue)
      else nextDue = Math.min(nextDue, message.dueAtMs)
      return
    }
    const isInside = end !== undefined && comparePlaces(message, end) <= 0
    if (!isInside && !isWhole) return
    if (!isInside) end = message
    insert(ready, message, comparePlaces)
    if (ready.length < 2 * size && (characters <= 2 * most || ready.length === 1)) return
    // The rest is in the tables, too.
    const kept = fitting()
    for (const one of ready.slice(kept)) isOut(one)
    ready.length = kept
    end = ready.at(-1)!
    isWhole = false
  }

  function drop(message: Message): void {
    if (!inside.has(message.number)) return
    isOut(message)
    for (const list of [ready, due]) {
      const place = list.findIndex(({ number }) => number === message.number)
      if (place >= 0) list.splice(place, 1)
    }
  }

  const isFilled = (nowMs: number): boolean =>
    (ready.length > 0 || isWhole) && (due.length > 0 || nextDue > nowMs)

  return {
    isFilled,
    take(nowMs, mayRead) {
      if (mayRead) {
        fill()
        fillDue(nowMs)
      } else if (!isFilled(nowMs)) return undefined
      const [first] = ready
      const timed = due[0] !== undefined && due[0].dueAtMs! <= nowMs ? due[0] : undefined
      if (first === undefined) return timed === undefined ? undefined : shift(due)
      if (timed === undefined || comparePlaces(first, timed) < 0) return shift(ready)
      return shift(due)
    },
    takeOldest() {
      for (let after = 0; ; ) {
        const page = tables.oldest(lane, after, size)
        const number = page.find(one => !isBusy(one))
        const message = number === undefined ? undefined : tables.get(number)
        if (message !== undefined) drop(message)
        if (number !== undefined || page.length < size) return message
        after = page.at(-1)!
      }
    },
    putBack: add,
    placed(message) {
      drop(message)
      if (!isBusy(message.number)) add(message)
    },
    gone: drop,
    isEmpty() {
      if (inside.size > 0) return false
      if (isWhole && nextDue === Number.POSITIVE_INFINITY) return true
      return (
        tables.ready(lane, undefined, 1).length === 0 && tables.due(lane, MAX_DUE, undefined, 1).length === 0
      )
    },
    nextDueMs(nowMs, mayRead = true) {
      // They were due when they were read, and the clock was set back since. What is behind them is due later still.
      const last = due.at(-1)
      if (last !== undefined && last.dueAtMs! > nowMs)
        return due.find(({ dueAtMs }) => dueAtMs! > nowMs)!.dueAtMs
      if (nextDue > nowMs) return nextDue === Number.POSITIVE_INFINITY ? undefined : nextDue
      return mayRead ? tables.nextDueMs(lane, nowMs) : undefined
    },
  }
}

function placeOf(list: readonly Message[], message: Message, compare: Compare): number {
  let [low, high] = [0, list.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (compare(list[middle]!, message) < 0) low = middle + 1
    else high = middle
  }
  return low
}
