/**
 * What the store half tells a gateway: rows that say what each text is, and the texts, which are sliced out and never
 * parsed. A parcel is a JSON array, so that it can be the payload of a call:
 *
 *     [ <key>, <characters of the rows>, <rows>, "", <text>, <text>, … ]
 *
 * The key says that it is from the store half; a gateway was told it in a greeting, which only its secret makes true:
 *
 *     [ <secret of the gateway>, <key> ]
 */
import { fromJsonText, type JsonText, quote, toJsonText } from '../../src/protocol/jsonText.ts'

/**
 * A message for everybody who is subscribed to what it is about. `before`: number of the event before it in its group, so
 * that a gateway sees when one was lost on the way.
 */
export type EventRow = readonly [
  kind: 'event',
  stream: string,
  group: string,
  item: string | null,
  seq: number,
  before: number,
  length: number,
]
/**
 * A message for one subscription. `sync`: how everything was after the event `seq`; `replay`: an event that came after it;
 * `ready`: it is up to date with `seq` and lives from now on (the text means nothing). `refused`: it is over; the text is
 * the reason.
 */
export type OpenRow = readonly [
  kind: 'sync' | 'replay' | 'ready' | 'refused',
  number: number,
  seq: number,
  length: number,
]

/** Events of a group up to `seq` did not arrive; the text means nothing. */
export type LostRow = readonly [kind: 'lost', stream: string, group: string, seq: number, length: number]

export type Row = EventRow | OpenRow | LostRow

export interface Part {
  readonly row: Row
  readonly text: string
}

const LENGTH = { event: 6, sync: 3, replay: 3, ready: 3, refused: 3, lost: 4 } as const

const lengthOf = (row: Row): number => row[LENGTH[row[0]]] as number

/** Each part's row has the length of its text. */
export function packParcel(key: string, parts: readonly Part[]): JsonText {
  const rows = JSON.stringify(parts.map(({ row }) => row))
  return `[${quote(key)},${rows.length},${rows},"",${parts.map(({ text }) => text).join(',')}]` as JsonText
}

/** What stands between the rows and the first text. */
const GAP = ',"",'.length

export function packGreeting(secret: string, key: string): JsonText {
  return toJsonText([secret, key])
}

/** The key of a greeting; `undefined`: it is none for this secret. */
export function unpackGreeting(greeting: JsonText, secret: string): string | undefined {
  if (!greeting.startsWith(`[${quote(secret)},`)) return undefined
  const [, key] = fromJsonText(greeting) as [string, string]
  return key
}

/** False: it has not this key. */
export function unpackParcel(parcel: JsonText, key: string, take: (row: Row, text: string) => void): boolean {
  const head = `[${quote(key)},`
  if (!parcel.startsWith(head)) return false
  const comma = parcel.indexOf(',', head.length)
  const rowsEnd = comma + 1 + Number(parcel.slice(head.length, comma))
  const rows = JSON.parse(parcel.slice(comma + 1, rowsEnd)) as Row[]
  let at = rowsEnd + GAP
  for (const row of rows) {
    const end = at + lengthOf(row)
    take(row, parcel.slice(at, end))
    at = end + 1
  }
  return true
}
