/**
 * What a handler gets beside the data: the metadata of its trigger, and in it what is known of the message, unless the trigger
 * has members of these names itself. Metadata that is no object stays as it is.
 */
import { asJsonText, fromJsonText, type JsonText, quote } from '../../src/protocol/jsonText.ts'
import type { Lease } from './core/lease.ts'
import { receiptOf } from './messageRow.ts'
import { shownName } from './names.ts'

const MEMBERS = ['message_id', 'queue', 'attempt', 'enqueued_at', 'lease_id', 'lease_until', 'group'] as const

type Writer = (leases: readonly Lease[]) => JsonText

const memberOf: Readonly<Record<(typeof MEMBERS)[number], (lease: Lease) => string | number | undefined>> = {
  message_id: ({ message }) => quote(receiptOf(message)),
  queue: ({ message }) => quote(shownName(message.queue)),
  attempt: ({ attempt }) => attempt,
  enqueued_at: ({ message }) => message.publishedAtMs,
  lease_id: ({ token }) => `"${token}"`,
  lease_until: ({ untilMs }) => untilMs,
  group: ({ message: { group } }) => (group === undefined ? undefined : quote(group)),
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
  const members = MEMBERS.filter(name => !Object.hasOwn(value, name))
  const inside = insideOf(own)
  const writers = members.map(name => ({ name, write: memberOf[name] }))
  return lease => {
    let text = ''
    for (const { name, write } of writers) {
      const value = write(lease)
      if (value !== undefined) text += `${text === '' ? '' : ','}"${name}":${value}`
    }
    return asJsonText(`{${text}${text !== '' && inside !== '' ? ',' : ''}${inside}}`)
  }
}
