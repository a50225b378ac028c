/**
 * Messages of a queue by state, in pages. A page looks at a bounded number of messages, so that it may be short, or empty, with
 * more to come: the last one is the one without a cursor.
 */
import { limits } from '../../protocol/limits.ts'
import type { Message } from './message.ts'
import { MAX_DUE, type ReadQueueTables } from './tables.ts'

/** What a message waits for, by what is kept of it and the time; who has it is not kept. In the order in which they are purged. */
export const MESSAGE_STATES = ['behind', 'ready', 'scheduled', 'backing_off', 'dead'] as const
export type MessageState = (typeof MESSAGE_STATES)[number]

export interface MessagePage {
  readonly messages: readonly Message[]
  /** Absent: this is the last page. */
  readonly cursor: string | undefined
}

export interface MessageQuery {
  readonly queue: string
  readonly state: MessageState
  /** Of the page before, of the same queue and state. */
  readonly cursor?: string | undefined
  readonly limit: number
}

export function stateOf({ deadAtMs, isHead, dueAtMs, failures }: Message, nowMs: number): MessageState {
  if (deadAtMs !== undefined) return 'dead'
  if (!isHead) return 'behind'
  if (dueAtMs === undefined || dueAtMs <= nowMs) return 'ready'
  return failures > 0 ? 'backing_off' : 'scheduled'
}

/** A place in one of the parts of which a list consists, one behind the other: each lane has two. */
interface Place {
  readonly part: number
  /** Its last message; absent: the beginning. */
  readonly last: readonly [string | number, number] | undefined
}

type Part = (last: Place['last'], limit: number) => Message[]
type KeyOf = (message: Message) => string | number

interface Parts {
  readonly list: readonly { readonly read: Part; readonly keyOf: KeyOf }[]
}

/** Throws a `RangeError` for a cursor that is none of its own. */
export function listMessages(
  tables: ReadQueueTables,
  nowMs: number,
  { queue, state, cursor, limit }: MessageQuery,
): MessagePage {
  const { list } = partsOf(tables, nowMs, queue, state)
  let place: Place = cursor === undefined ? { part: 0, last: undefined } : placeOf(cursor, state)
  const messages: Message[] = []
  let characters = 0
  let looked = 0
  while (place.part < list.length) {
    const { read, keyOf } = list[place.part]!
    const most = Math.min(limit - messages.length, limits.listPortion)
    if (most <= 0 || looked >= limits.messagesLooked) return { messages, cursor: cursorOf(place, state) }
    const portion = read(place.last, most)
    looked += portion.length
    for (const message of portion) {
      const isWanted = stateOf(message, nowMs) === state
      characters += isWanted ? message.data.length : 0
      if (characters > limits.pageCharacters && messages.length > 0)
        return { messages, cursor: cursorOf(place, state) }
      place = { part: place.part, last: [keyOf(message), message.number] }
      if (isWanted) messages.push(message)
    }
    if (portion.length < most) place = { part: place.part + 1, last: undefined }
  }
  return { messages, cursor: undefined }
}

const priorityOf: KeyOf = ({ priority }) => priority
const dueOf: KeyOf = ({ dueAtMs = 0 }) => dueAtMs

function partsOf(tables: ReadQueueTables, nowMs: number, queue: string, state: MessageState): Parts {
  const lanes = tables.lanes(queue)
  switch (state) {
    case 'dead': {
      const read: Part = (last, limit) =>
        tables.dead(queue, last && { deadAtMs: last[0] as number, number: last[1] }, limit)
      return { list: [{ read, keyOf: ({ deadAtMs = 0 }) => deadAtMs }] }
    }
    case 'behind': {
      const read: Part = (last, limit) =>
        tables.grouped(queue, last && { group: last[0] as string, number: last[1] }, limit)
      return { list: [{ read, keyOf: ({ group = '' }) => group }] }
    }
    case 'ready':
      return {
        list: lanes.flatMap(lane => [
          {
            read: (last, limit) =>
              tables.ready(lane, last && { priority: last[0] as number, number: last[1] }, limit),
            keyOf: priorityOf,
          },
          {
            read: (last, limit) =>
              tables.due(lane, nowMs, last && { dueAtMs: last[0] as number, number: last[1] }, limit),
            keyOf: dueOf,
          },
        ]),
      }
    default:
      return {
        list: lanes.map(lane => ({
          read: (last, limit) => {
            const [dueAtMs, number] = last ?? [nowMs, Number.MAX_SAFE_INTEGER]
            return tables.due(lane, MAX_DUE, { dueAtMs: dueAtMs as number, number }, limit)
          },
          keyOf: dueOf,
        })),
      }
  }
}

const cursorOf = ({ part, last }: Place, state: MessageState): string =>
  Buffer.from(JSON.stringify([state, part, ...(last ?? [])])).toString('base64url')

function placeOf(cursor: string, of: MessageState): Place {
  let read: unknown
  try {
    read = JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    read = undefined
  }
  const [state, part, key, number] = Array.isArray(read) ? (read as unknown[]) : []
  const keyType = of === 'behind' ? 'string' : 'number'
  const isAtStart = key === undefined && number === undefined
  const isAfter = typeof key === keyType && typeof number === 'number'
  if (state !== of || typeof part !== 'number' || part < 0 || !(isAtStart || isAfter)) {
    throw new RangeError('the cursor is none that a page before has given')
  }
  return { part, last: isAtStart ? undefined : [key as string | number, number as number] }
}
