/**
 * What a handler has returned, kept for whoever asks. A message whose result is kept has a receipt that says so (a UUID of version 8),
 * so that nothing is written, and nothing looked up, for all the others.
 */
import { membersOf } from '../../src/protocol/json/split.ts'
import { asJsonText, type JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'

export interface KeptResult {
  /** Wall clock, milliseconds. */
  readonly endedAtMs: number
  /** Forgotten then. */
  readonly keptUntilMs: number | undefined
  /** Absent: it was too large to be kept. */
  readonly result: JsonText | undefined
  readonly bytes: number
}

const VERSION_AT = 14
/** Those that are made of a number end with zeros. */
const RECEIPT = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-(?!0{12})[0-9a-f]{12}$/

/** `uuid`: any. */
export const receiptWithResult = (uuid: string): string =>
  `${uuid.slice(0, VERSION_AT)}8${uuid.slice(VERSION_AT + 1)}`

/** The result of the message with this receipt is kept. */
export const keepsResult = (receipt: string | undefined): boolean =>
  receipt !== undefined && receipt[VERSION_AT] === '8' && RECEIPT.test(receipt)

export function resultText(result: JsonText, endedAtMs: number): JsonText {
  const bytes = Buffer.byteLength(result)
  const kept = bytes > limits.queueResultBytes ? '' : `,"result":${result}`
  return asJsonText(`{"at":${endedAtMs},"bytes":${bytes}${kept}}`)
}

/** `text`: as the function above has made it. */
export function keptResultOf(text: JsonText, keptUntilMs: number | undefined): KeptResult {
  const members = membersOf(text)
  return {
    endedAtMs: Number(members.get('at')),
    bytes: Number(members.get('bytes')),
    result: members.get('result'),
    keptUntilMs,
  }
}
