/**
 * What a handler gets beside the data: the metadata of its trigger, and in it what is known of the message, unless the trigger
 * has members of these names itself. Metadata that is no object stays as it is.
 */
import { asJsonText, fromJsonText, type JsonText, quote } from '../../src/protocol/jsonText.ts'
import type { Lease } from './core/lease.ts'
import { receiptOf } from './messageRow.ts'
import { shownName } from './names.ts'

type Writer = (leases: readonly Lease[]) => JsonText

/** Of the queue whose messages were last: those of one come one after the other. */
let shown = { queue: '', text: '""' }

function queueText(queue: string): string {
  if (shown.queue !== queue) shown = { queue, text: quote(shownName(queue)) }
  return shown.text
}

/** What is known of a message, by the names of the members. */
const memberOf = {
  message_id: ({ message }: Lease) => quote(receiptOf(message)),
  queue: ({ message }: Lease) => queueText(message.queue),
  attempt: ({ attempt }: Lease) => `${attempt}`,
  enqueued_at: ({ message }: Lease) => `${message.publishedAtMs}`,
  lease_id: ({ token }: Lease) => `"${token}"`,
  lease_until: ({ untilMs }: Lease) => `${untilMs}`,
  group: ({ message: { group } }: Lease) => (group === undefined ? undefined : quote(group)),
  /** As the publisher gave it. */
  metadata: ({ message }: Lease) => message.metadata,
}

/** `own`: of the trigger. `isBatch`: what is known of each message is in a list `messages`. */
export function createMetadataWriter(own: JsonText | undefined, isBatch: boolean): Writer {
  if (!isBatch) {
    const write = createWriter(own)
    return leases => write(leases[0]!)
  }
  const write = createWriter(undefined)
  const list = (leases: readonly Lease[]): string => `"messages":[${leases.map(write).join(',')}]`
  const value = own === undefined ? {} : fromJsonText(own)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return () => own!
  if (Object.hasOwn(value, 'messages')) return () => own!
  const inside = insideOf(own)
  return leases => asJsonText(`{${list(leases)}${inside === '' ? '' : ','}${inside}}`)
}

const insideOf = (own: JsonText | undefined): string =>
  own === undefined ? '' : own.slice(own.indexOf('{') + 1, own.lastIndexOf('}')).trim()

function createWriter(own: JsonText | undefined): (lease: Lease) => JsonText {
  const value = own === undefined ? {} : fromJsonText(own)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return () => own!
  const inside = insideOf(own)
  const end = inside === '' ? '}' : `,${inside}}`
  const names = Object.keys(memberOf) as (keyof typeof memberOf)[]
  const free = names.filter(name => !Object.hasOwn(value, name))
  return free.length === names.length ? lease => asJsonText(`${allOf(lease)}${end}`) : someOf(free, inside)
}

/** Without the closing brace. Written out: every message has it. */
function allOf(lease: Lease): string {
  const { message, attempt, token, untilMs } = lease
  const { group, metadata } = message
  let text =
    `{"message_id":${memberOf.message_id(lease)},"queue":${queueText(message.queue)},"attempt":${attempt}` +
    `,"enqueued_at":${message.publishedAtMs},"lease_id":"${token}","lease_until":${untilMs}`
  if (group !== undefined) text += `,"group":${quote(group)}`
  if (metadata !== undefined) text += `,"metadata":${metadata}`
  return text
}

const someOf =
  (names: readonly (keyof typeof memberOf)[], inside: string) =>
  (lease: Lease): JsonText => {
    const members: string[] = []
    for (const name of names) {
      const value = memberOf[name](lease)
      if (value !== undefined) members.push(`"${name}":${value}`)
    }
    return asJsonText(`{${[...members, inside].join(',')}}`)
  }
