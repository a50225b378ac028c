/** Messages of clients (`docs/streams.md#joining`). Who sends something else is not answered, only counted. */
import { limits } from '../../../src/protocol/limits.ts'

export interface Join {
  readonly type: 'join'
  readonly subscriptionId: string
  readonly stream: string
  readonly group: string
  /** Absent: all items of the group. */
  readonly item: string | undefined
  readonly withIds: boolean
  /** Every message is to name the subscription. */
  readonly echo: boolean
  readonly since: number | undefined
}

export interface Leave {
  readonly type: 'leave'
  readonly subscriptionId: string
}

export type ClientMessage = Join | Leave

type Fields = Readonly<Record<string, unknown>>

const decoder = new TextDecoder('utf-8', { fatal: true })

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const isName = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= limits.storedNameLength

/** What a client has said; otherwise why it cannot be read, as a few words. */
export function readMessage(message: string | Uint8Array): ClientMessage | { readonly problem: string } {
  let parsed: unknown
  try {
    parsed = JSON.parse(typeof message === 'string' ? message : decoder.decode(message))
  } catch {
    return { problem: 'it is not JSON' }
  }
  if (!isFields(parsed) || !isFields(parsed.data)) return { problem: 'it is not {"type": …, "data": {…}}' }
  const { type, data } = parsed
  if (type !== 'join' && type !== 'leave') return { problem: 'its type is neither join nor leave' }
  const { subscriptionId, streamName, groupId } = data
  if (!isName(subscriptionId)) return { problem: 'subscriptionId is no text, or too long' }
  if (type === 'leave') return { type, subscriptionId }
  if (!isName(streamName) || !isName(groupId))
    return { problem: 'streamName or groupId is no text, or too long' }
  const item = data.id ?? undefined
  if (item !== undefined && !isName(item)) return { problem: 'id is no text, or too long' }
  const since = data.since ?? undefined
  if (since !== undefined && !(Number.isSafeInteger(since) && (since as number) >= 0))
    return { problem: 'since is no sequence number' }
  return {
    type,
    subscriptionId,
    stream: streamName,
    group: groupId,
    item,
    withIds: data.withIds === true,
    echo: data.echo === true,
    since: since as number | undefined,
  }
}
