/** `stream::presence`: who is subscribed. */
import { RawJson } from '../../sdk/typescript/src/worker.ts'
import { asJsonText, quote } from '../../src/protocol/jsonText.ts'
import { readMembers, refusing } from '../fields.ts'
import { subscriptionText } from './admission.ts'
import { shapes } from './formats.ts'
import type { Subscription, Subscriptions } from './subscriptions.ts'

export const PRESENCE = 'stream::presence'

/** In the order in which they came, which is that of the numbers a gateway gives; gateways one after the other. */
const placeOf = ({ gateway, number }: Subscription): string =>
  `${gateway} ${String(number).padStart(16, '0')}`

function rowText(subscription: Subscription): string {
  const { connection, joinedAtMs } = subscription
  return `${subscriptionText(subscription).slice(0, -1)},"connection_id":${quote(connection)},"joined_at":${joinedAtMs}}`
}

export function presence(subscriptions: Subscriptions, given: RawJson): RawJson {
  const refuse = refusing(PRESENCE)
  const {
    stream_name: stream,
    group_id: group,
    cursor,
    limit = Number.POSITIVE_INFINITY,
  } = shapes[PRESENCE].read(readMembers(given.text, refuse), refuse)
  const found: { place: string; subscription: Subscription }[] = []
  for (const subscription of concerned(subscriptions, stream, group)) {
    if (subscription.state === 'asking') continue
    if (stream !== undefined && subscription.stream !== stream) continue
    if (group !== undefined && subscription.group !== group) continue
    found.push({ place: placeOf(subscription), subscription })
  }
  found.sort((a, b) => (a.place < b.place ? -1 : 1))
  const rest = cursor === undefined ? found : found.filter(({ place }) => place > cursor)
  const shown = rest.slice(0, limit)
  const last = shown.length < rest.length ? shown.at(-1) : undefined
  const next = last === undefined ? '' : `,"cursor":${quote(last.place)}`
  const rows = shown.map(({ subscription }) => rowText(subscription)).join(',')
  return new RawJson(asJsonText(`{"subscriptions":[${rows}],"count":${found.length}${next}}`))
}

function concerned(
  subscriptions: Subscriptions,
  stream: string | undefined,
  group: string | undefined,
): Iterable<Subscription> {
  if (stream === undefined || group === undefined) return subscriptions.all()
  return subscriptions.audience({ stream, group })?.all ?? []
}
