/**
 * What a partition should do, in as few words as possible: one map, one command after the other, nothing shared with the
 * code it is compared with. Of the update operations it knows two: `set` of everything, and `increment` of one member. Of queues it
 * knows messages with receipts, which are published and cancelled.
 */

import type {
  Collection,
  Command,
  PutCommand,
  RemoveCommand,
  UpdateCommand,
} from '../../src/storage/command.ts'
import type { EnqueueCommand } from '../../src/storage/queue/command.ts'

export interface Held {
  readonly value: string
  readonly version: number
  readonly createdAt: number
  readonly expiresAtMs: number | undefined
}

/** A change as followers and feeds tell it, without its time. */
export interface Told {
  readonly revision: number
  readonly place: string
  readonly event: string
  readonly reason: string | undefined
  readonly oldValue: string | undefined
  readonly newValue: string | undefined
}

export interface Answered {
  readonly oldValue: string | undefined
  readonly newValue: string | undefined
  readonly version: number
}

export type Applied =
  | { readonly answers: readonly Answered[]; readonly changes: readonly Told[] }
  | { readonly refused: 'VERSION_CONFLICT' }

class Refused extends Error {}

export const placeOf = ({ space, name, group }: Collection, key: string | undefined): string =>
  JSON.stringify([space, name, group, key ?? null])

/** What was said of a message, under its receipt. */
export type Messages = ReadonlyMap<string, string>

export const saidOf = ({ queue, data, group }: Pick<EnqueueCommand, 'queue' | 'data' | 'group'>): string =>
  JSON.stringify([queue, data, group ?? null])

export interface Reference {
  readonly entries: ReadonlyMap<string, Held>
  readonly messages: Messages
  revision(): number
  /** All of the commands or none. */
  apply(commands: readonly Command[], nowMs?: number): Applied
  /** What has expired is removed: what was due first before the rest. */
  expire(nowMs: number, limit: number): readonly Told[]
  copy(): Reference
}

type Write = PutCommand | RemoveCommand | UpdateCommand

export function createReference(
  from: ReadonlyMap<string, Held> = new Map(),
  revisionBefore = 0,
  messagesBefore: Messages = new Map(),
): Reference {
  let entries = new Map(from)
  let messages = new Map(messagesBefore)
  let revision = revisionBefore
  let changes: Told[] = []

  function tell(place: string, event: string, values: Partial<Told> = {}): number {
    const { reason, oldValue, newValue } = values
    changes.push({ revision: ++revision, place, event, reason, oldValue, newValue })
    return revision
  }

  function removeExpired(place: string, { value }: Held): void {
    entries.delete(place)
    tell(place, 'deleted', { reason: 'expired', oldValue: value })
  }

  function textOf(command: PutCommand | UpdateCommand, before: Held | undefined): string {
    if (command.command === 'put') return command.value
    let value: unknown = before === undefined ? {} : JSON.parse(before.value)
    let text = before?.value ?? '{}'
    for (const operation of command.operations) {
      if (operation.type === 'set' && operation.path === '') {
        text = operation.value!
        value = JSON.parse(text)
      } else if (operation.type === 'increment') {
        const members = value as Record<string, number>
        members[operation.path] = (members[operation.path] ?? 0) + Number(operation.by)
        text = JSON.stringify(members)
      } else throw new Error(`the reference does not know ${operation.type}`)
    }
    return text
  }

  function write(command: Write, nowMs: number): Answered {
    const { collection, key, ifVersion } = command
    const place = placeOf(collection, key)
    const found = entries.get(place)
    const isExpired = found?.expiresAtMs !== undefined && found.expiresAtMs <= nowMs
    const before = isExpired ? undefined : found
    if (ifVersion !== undefined && ifVersion !== (before?.version ?? 0)) throw new Refused()
    if (command.command === 'remove') {
      if (isExpired) removeExpired(place, found)
      entries.delete(place)
      if (before !== undefined || command.tellsMissing) tell(place, 'deleted', { oldValue: before?.value })
      return { oldValue: before?.value, newValue: undefined, version: 0 }
    }
    const value = textOf(command, before)
    if (isExpired) removeExpired(place, found)
    const event = before === undefined ? 'created' : 'updated'
    const isQuiet = command.command === 'put' && command.isQuiet === true
    const version = tell(place, event, { oldValue: isQuiet ? undefined : before?.value, newValue: value })
    const expiresAtMs =
      command.command === 'update' ? (command.expiresAtMs ?? before?.expiresAtMs) : command.expiresAtMs
    entries.set(place, { value, version, createdAt: before?.createdAt ?? version, expiresAtMs })
    return { oldValue: before?.value, newValue: value, version }
  }

  function run(command: Command, nowMs: number): Answered {
    const nothing = { oldValue: undefined, newValue: undefined, version: 0 }
    if (command.command === 'publish') return nothing
    if (command.command === 'tell') {
      tell(placeOf(command.collection, command.key), 'told', { newValue: command.data })
      return nothing
    }
    if (command.command === 'enqueue') {
      const receipt = command.receipt!
      if (!messages.has(receipt)) messages.set(receipt, saidOf(command))
      return nothing
    }
    if (command.command === 'cancel') {
      messages.delete(command.receipt!)
      return nothing
    }
    if (!('collection' in command)) throw new Error('Queues have a model of their own.')
    return write(command, nowMs)
  }

  return {
    get entries() {
      return entries
    },
    get messages() {
      return messages
    },
    revision: () => revision,
    apply(commands, nowMs = 0) {
      const before = { entries: new Map(entries), messages: new Map(messages), revision }
      changes = []
      try {
        const answers = commands.map(command => run(command, nowMs))
        return { answers, changes }
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        entries = before.entries
        messages = before.messages
        revision = before.revision
        return { refused: 'VERSION_CONFLICT' }
      }
    },
    expire(nowMs, limit) {
      changes = []
      const due = [...entries].filter(
        ([, { expiresAtMs = Number.POSITIVE_INFINITY }]) => expiresAtMs <= nowMs,
      )
      due.sort(
        ([, one], [, other]) => one.expiresAtMs! - other.expiresAtMs! || one.createdAt - other.createdAt,
      )
      for (const [place, held] of due.slice(0, limit)) removeExpired(place, held)
      return changes
    },
    copy: () => createReference(entries, revision, messages),
  }
}
