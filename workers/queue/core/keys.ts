/**
 * At most so many messages of one key are under way at once. The key is a member of the data, looked at when a message is about to be
 * handed out; one whose key is full is set aside, and comes back to its window, at its old place, when there is room.
 *
 *                 next of the window                     its key has room
 *      in window ────────────────────▶ key is full? ──no──────────────────▶ leased ──┐
 *          ▲                               │ yes                                     │ released
 *          └──────────── room ──────── set aside ◀─────────────── makes room ────────┘
 *
 * So many may be set aside, and then nothing more is looked at: what is behind them waits, too.
 */
import { membersOf, typeOfJson } from '../../../src/protocol/json/split.ts'
import { fromJsonText, type JsonText } from '../../../src/protocol/jsonText.ts'
import { lengthOf, type Message } from '../../../src/storage/queue/message.ts'

export interface PerKey {
  /** Member of the data; messages with the same value have the same key, those without it have none. */
  readonly field: string
  /** Under way at once, 1 or more. */
  readonly most: number
}

/** A member as it names a group or a key: `1` and `"1"` are the same. */
export const memberText = (value: JsonText): string =>
  typeOfJson(value) === 'string' ? (fromJsonText(value) as string) : value

export function keyOf({ data }: Message, { field }: PerKey): string | undefined {
  const value = typeOfJson(data) === 'object' ? membersOf(data).get(field) : undefined
  return value === undefined || value === 'null' ? undefined : memberText(value)
}

/** Those who are passed over by one would be by the other. */
export const isSameBound = (one: PerKey | undefined, other: PerKey | undefined): boolean =>
  one?.field === other?.field && one?.most === other?.most

/** How many messages of each key of a queue are under way. */
export interface KeysUnderWay {
  of(key: string): number
  begin(key: string): void
  end(key: string): void
}

export function createKeysUnderWay(): KeysUnderWay {
  const counts = new Map<string, number>()
  const of = (key: string): number => counts.get(key) ?? 0
  return {
    of,
    begin: key => void counts.set(key, of(key) + 1),
    end(key) {
      if (of(key) <= 1) counts.delete(key)
      else counts.set(key, of(key) - 1)
    },
  }
}

/** Messages of a lane whose key is full. */
export interface SetAside {
  size(): number
  /** Nothing more is to be set aside: there are enough of them, or they are large. */
  isFull(): boolean
  add(message: Message, key: string): void
  has(number: number): boolean
  /** It is gone. */
  drop(number: number): void
  /** Up to `count` of a key, those that were set aside first; they are not here any more. */
  takeOf(key: string, count: number): Message[]
  takeAll(): Message[]
  clear(): void
}

/** `most`: how many of them there may be, and how many characters they may have before there is one too many. */
export function createSetAside(most: { readonly messages: number; readonly characters: number }): SetAside {
  const byKey = new Map<string, Map<number, Message>>()
  const keys = new Map<number, string>()
  let characters = 0

  function drop(number: number): void {
    const key = keys.get(number)
    if (key === undefined) return
    keys.delete(number)
    const messages = byKey.get(key)!
    characters -= lengthOf(messages.get(number)!)
    messages.delete(number)
    if (messages.size === 0) byKey.delete(key)
  }

  function clear(): void {
    byKey.clear()
    keys.clear()
    characters = 0
  }

  return {
    size: () => keys.size,
    isFull: () => keys.size >= most.messages || characters > most.characters,
    add(message, key) {
      const messages = byKey.get(key) ?? new Map<number, Message>()
      byKey.set(key, messages.set(message.number, message))
      keys.set(message.number, key)
      characters += lengthOf(message)
    },
    has: number => keys.has(number),
    drop,
    takeOf(key, count) {
      const messages = byKey.get(key)
      if (messages === undefined) return []
      const taken = [...messages.values().take(Math.max(0, count))]
      for (const { number } of taken) drop(number)
      return taken
    },
    takeAll() {
      const taken = [...byKey.values()].flatMap(messages => [...messages.values()])
      clear()
      return taken
    },
    clear,
  }
}
