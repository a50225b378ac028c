/**
 * What the two halves of the stream worker say to each other, by functions that discovery does not show. The store half
 * has the first four; each gateway has one of its own, which takes parcels (`parcel.ts`).
 */
import { membersOf } from '../../src/protocol/json/split.ts'
import { type JsonText, toJsonText } from '../../src/protocol/jsonText.ts'

/** A gateway is there, with its function. Not answered before it is to ask again: so each half hears of the other's end. */
export const ATTACH = 'iii-stream::attach'
export const JOIN = 'iii-stream::join'
export const LEAVE = 'iii-stream::leave'
/** Subscriptions that want everything anew. */
export const RESYNC = 'iii-stream::resync'
/** The function of a gateway is this and an id. */
export const GATEWAY = 'iii-stream::gateway::'

/** Said to a gateway's function, it answers with what it has counted. */
export const COUNTERS = 'counters'

export interface AttachRequest {
  /** The function of the gateway. */
  readonly gateway: string
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

export interface LeaveRequest {
  readonly gateway: string
  readonly numbers: readonly number[]
}

export type ResyncRequest = LeaveRequest

export function writeJoin({ context, ...rest }: JoinRequest): JsonText {
  return `{"rest":${toJsonText(rest)},"context":${context}}` as JsonText
}

export function readJoin(text: JsonText): JoinRequest {
  const members = membersOf(text)
  const rest = JSON.parse(members.get('rest')!) as Omit<JoinRequest, 'context'>
  return { ...rest, context: members.get('context')! }
}
