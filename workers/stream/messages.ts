/** What clients of a stream are sent, as text (`docs/streams.md#messages`). Values are spliced in as they were written. */
import { JSON_NULL, type JsonText, quote } from '../../src/protocol/jsonText.ts'
import type { Group, Item, StreamEvent } from './store.ts'

/** How every message begins; what only one client is to see is put in behind it. */
const HEAD = '{"type":"stream",'

function frame(
  atMs: number,
  { stream, group }: Group,
  item: string | undefined,
  event: string,
  seq: number,
): string {
  const id = item === undefined ? JSON_NULL : quote(item)
  return `${HEAD}"timestamp":${atMs},"streamName":${quote(stream)},"groupId":${quote(group)},"id":${id},"event":${event},"seq":${seq}}`
}

/** `event` of a message, and of what triggers are called with. */
export function eventText({ kind, data, reason }: StreamEvent): string {
  if (kind === 'event') return `{"type":"event","event":${data}}`
  const why = reason === undefined ? '' : `,"reason":"${reason}"`
  return `{"type":"${kind}","data":${data}${why}}`
}

/** The same for every client, and for triggers. */
export function messageOf(event: StreamEvent): JsonText {
  return frame(event.atMs, event, event.item, eventText(event), event.seq) as JsonText
}

export function toldData(type: string, data: JsonText): JsonText {
  return `{"type":${quote(type)},"data":${data}}` as JsonText
}

/** What a subscription is told alone. */
export interface Place extends Group {
  readonly item: string | undefined
  readonly subscriptionId: string
}

function personal(place: Place, atMs: number, event: string, seq: number): string {
  return withSubscription(frame(atMs, place, place.item, event, seq), place.subscriptionId)
}

export function syncMessage(place: Place, atMs: number, data: JsonText, seq: number): string {
  return personal(place, atMs, `{"type":"sync","data":${data}}`, seq)
}

/** `reason`: a sentence for people, if there is something to say. */
export function unauthorizedMessage(
  place: Place,
  atMs: number,
  seq: number,
  reason: string | undefined,
): string {
  const why = reason === undefined ? '' : `,"reason":${quote(reason)}`
  return personal(place, atMs, `{"type":"unauthorized"${why}}`, seq)
}

/** A client that was too slow is told how many messages of a subscription it has not been sent. */
export function lostMessage(place: Place, atMs: number, count: number, seq: number): string {
  return personal(place, atMs, `{"type":"lost","count":${count}}`, seq)
}

/** A message with the id of the subscription it is for. */
export function withSubscription(message: string, subscriptionId: string): string {
  return `${HEAD}"subscriptionId":${quote(subscriptionId)},${message.slice(HEAD.length)}`
}

export interface SyncForm {
  /** One item, or all of a group. */
  readonly item: string | undefined
  readonly withIds: boolean
}

export function itemText({ id, data, version }: Item): string {
  return `{"id":${quote(id)},"data":${data},"version":${version}}`
}

export function itemsText(items: readonly Item[], withIds: boolean): JsonText {
  return `[${items.map(item => (withIds ? itemText(item) : item.data)).join(',')}]` as JsonText
}

/** `data` of a sync: the items of a group, or one item and `null` if there is none. */
export function syncData(items: readonly Item[], { item, withIds }: SyncForm): JsonText {
  if (item === undefined) return itemsText(items, withIds)
  const [only] = items
  if (only === undefined) return JSON_NULL
  return withIds ? (itemText(only) as JsonText) : only.data
}
