/**
 * What the two halves of the stream worker say to each other, by functions that discovery does not show. The store half
 * has the first four; each gateway has one of its own, which takes parcels (`parcel.ts`).
 *
 * Whoever is connected can call these. What a gateway says counts by the secret that it has attached with, a parcel by the
 * key that the gateway was told in return:
 *
 *     gateway ── ATTACH: its secret ──▶ store half
 *             ◀── secret and key ──────
 *             ── JOIN …: secret ──────▶
 *             ◀── parcels: key ────────
 */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { RawJson } from '../../sdk/typescript/src/worker.ts'
import { membersOf, typeOfJson } from '../../src/protocol/json/split.ts'
import { fromJsonText, JSON_NULL, type JsonText, toJsonText } from '../../src/protocol/jsonText.ts'

/** A gateway is there, with its function. Not answered before it is to ask again: so each half hears of the other's end. */
export const ATTACH = 'iii-stream::attach'
export const JOIN = 'iii-stream::join'
export const LEAVE = 'iii-stream::leave'
/** Subscriptions that want everything anew. */
export const RESYNC = 'iii-stream::resync'
/**
 * The id of one of these. A process beside the engine has its own, which nobody can guess: the engine may have both halves, too.
 */
export const idIn = (process: string | undefined, id: string): string =>
  process === undefined ? id : `${id}@${process}`

/** The function of a gateway is this and an id. */
export const GATEWAY = 'iii-stream::gateway::'

/** Said to a gateway's function, it answers with what it has counted. */
export const COUNTERS = 'counters'

/** Answered to a gateway that is not attached, or does not know the secret. It attaches anew and asks again. */
export const NOT_ATTACHED = 'NOT_ATTACHED'

/** In every request. */
export interface Attachment {
  /** The function of the gateway. */
  readonly gateway: string
  /** Chosen by the gateway. */
  readonly secret: string
}

export interface JoinRequest {
  readonly gateway: string
  /** Id of the client's connection. */
  readonly connection: string
  /** Number that the gateway gave the subscription; never used again. */
  readonly number: number
  readonly subscriptionId: string
  readonly stream: string
  readonly group: string
  readonly item: string | undefined
  /** What the auth function said of the client; `null` if there is none. */
  readonly context: JsonText
  readonly withIds: boolean
  /** The last sequence number that the client has. */
  readonly since: number | undefined
  /** It was let in before, by another life of the store half. */
  readonly granted: boolean
}

export interface JoinAnswer {
  readonly unauthorized: boolean
  /** A sentence, if it was not a handler that said so. */
  readonly reason?: string | undefined
}

export function writeJoin({ context, ...rest }: JoinRequest, secret: string): JsonText {
  const { gateway } = rest
  return `${toJsonText({ gateway, secret, rest }).slice(0, -1)},"context":${context}}` as JsonText
}

/** A request that says whom it is from. What else it says is read when that is known to be true. */
export interface Request extends Attachment {
  /** Of ATTACH: it never let go, and nothing has changed. */
  isAgain(): boolean
  numbers(): number[]
  join(): JoinRequest
}

export function readRequest(functionId: string, { text }: RawJson): Request {
  function refuse(what: string): never {
    throw new HandlerError(
      'deserialization_error',
      `Failed to deserialize input for ${functionId}: ${what}; only the gateways of streams call it`,
    )
  }
  if (typeOfJson(text) !== 'object') return refuse('it is no object')
  const members = membersOf(text)
  function textAt(name: string): string {
    const value = members.get(name)
    return value !== undefined && typeOfJson(value) === 'string'
      ? (fromJsonText(value) as string)
      : refuse(`\`${name}\` is no text`)
  }
  const gateway = textAt('gateway')
  return {
    gateway,
    secret: textAt('secret'),
    isAgain: () => members.get('again') === 'true',
    numbers() {
      const numbers = fromJsonText(members.get('numbers') ?? JSON_NULL)
      return Array.isArray(numbers) ? numbers : refuse('`numbers` is no array')
    },
    join() {
      const rest = members.get('rest')
      const context = members.get('context')
      if (rest === undefined || typeOfJson(rest) !== 'object' || context === undefined)
        return refuse('`rest` or `context` is missing')
      return { ...(fromJsonText(rest) as Omit<JoinRequest, 'context'>), gateway, context }
    },
  }
}
