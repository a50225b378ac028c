/** Values in the durable partition, on disk or in memory. A scope is a collection; revisions are its own. */

import { asJsonText, quote } from '../../../src/protocol/jsonText.ts'
import type { EntryChange } from '../../../src/storage/change.ts'
import type { Answer, Collection, Command } from '../../../src/storage/command.ts'
import { readPage } from '../../../src/storage/pages.ts'
import type { Committal, Partition } from '../../../src/storage/partition.ts'
import { type Entry, hasExpired } from '../../../src/storage/tables.ts'
import type { Item, ItemAddress, StateChange, StateStore, Write, Written } from '../store.ts'

const SPACE = 'state'

const scopeOf = (scope: string): Collection => ({ space: SPACE, name: scope, group: '' })

function groupOf({ stream, group }: Pick<ItemAddress, 'stream' | 'group'>): Collection {
  return { space: 'stream', name: stream, group }
}

function itemOf({ key, value, version, updatedAtMs, expiresAtMs }: Entry): Item {
  return { key, value, version, updatedAtMs, expiresAtMs }
}

function commandOf(write: Exclude<Write, { kind: 'enqueue' }>): Command {
  switch (write.kind) {
    case 'set': {
      const { scope, key, value, ifVersion, expiresAtMs } = write
      return { command: 'put', collection: scopeOf(scope), key, value, ifVersion, expiresAtMs }
    }
    case 'stream_set': {
      const { value, ifVersion, expiresAtMs } = write
      return { command: 'put', ...targetOf(write), value, ifVersion, expiresAtMs }
    }
    case 'delete':
      return { command: 'remove', ...targetOf(write), ifVersion: write.ifVersion, tellsMissing: true }
    case 'stream_delete':
      return { command: 'remove', ...targetOf(write), ifVersion: write.ifVersion, tellsMissing: false }
    case 'update':
    case 'stream_update': {
      const { operations, ifVersion, expiresAtMs, maxValueBytes } = write
      return { command: 'update', ...targetOf(write), operations, ifVersion, expiresAtMs, maxValueBytes }
    }
    case 'stream_send': {
      // As the stream worker keeps what is sent without being stored.
      const data = asJsonText(`{"type":${quote(write.type)},"data":${write.data}}`)
      return { command: 'tell', collection: groupOf(write), key: write.item, type: 'event', data }
    }
    case 'publish':
      return { command: 'publish', topic: write.topic, data: write.data }
  }
}

function targetOf(write: Exclude<Write, { kind: 'stream_send' | 'publish' | 'enqueue' }>) {
  return 'scope' in write
    ? { collection: scopeOf(write.scope), key: write.key }
    : { collection: groupOf(write), key: write.item }
}

/** A message for a topic is one for each of its subscriptions. */
const commandsOf = (write: Write): readonly Command[] =>
  write.kind === 'enqueue' ? write.messages : [commandOf(write)]

function writtenOf(writes: readonly Write[], answers: readonly Answer[]): readonly Written[] {
  if (!writes.some(({ kind }) => kind === 'enqueue')) return answers
  let at = 0
  return writes.map(write => {
    const first = answers[at]!
    const count = write.kind === 'enqueue' ? write.messages.length : 1
    const receipt = answers.slice(at, at + count).find(({ queue }) => queue?.receipt !== undefined)
      ?.queue?.receipt
    at += count
    if (receipt === undefined) return first
    return { ...first, newValue: asJsonText(`{"messageReceiptId":${quote(receipt)}}`) }
  })
}

function changeOf(change: EntryChange): StateChange {
  const { revision, atMs, name, key, event, reason, oldValue, newValue, cause } = change
  return {
    revision,
    atMs,
    scope: name,
    key: key!,
    event: event as StateChange['event'],
    reason,
    oldValue,
    newValue,
    cause,
  }
}

/** Nothing is told in the space of the state. */
const isOurs = ({ space, event }: EntryChange): boolean => space === SPACE && event !== 'told'

function inOurWords({ changes, publications }: Committal) {
  const ours: StateChange[] = []
  for (const change of changes) if (isOurs(change)) ours.push(changeOf(change))
  return { ours, published: publications.map(({ topic, data, cause }) => ({ topic, data, cause })) }
}

export function createPartitionStore(partition: Partition): StateStore {
  /** Several follow: what happened is put into their words once. */
  let last: (ReturnType<typeof inOurWords> & { readonly of: Committal }) | undefined

  function told(committal: Committal) {
    if (last?.of !== committal) last = { of: committal, ...inOurWords(committal) }
    return last
  }

  return {
    write: (writes, { level, cause }) =>
      partition
        .submit(writes.flatMap(commandsOf), { level, cause })
        .then(({ answers, revision, level, ms }) => ({
          written: writtenOf(writes, answers),
          revision,
          level,
          ms,
        })),
    get: ({ scope, key }) =>
      partition.read((tables, nowMs) => {
        const entry = tables.get(scopeOf(scope), key)
        return entry === undefined || hasExpired(entry, nowMs) ? undefined : itemOf(entry)
      }),
    list: ({ scope, ...query }) =>
      partition.read((tables, nowMs) => {
        const { entries, cursor, isCut } = readPage(tables, nowMs, scopeOf(scope), query)
        return { items: entries.map(itemOf), cursor, isCut }
      }),
    scopes: query => partition.read(tables => tables.names(SPACE, query)),
    async since(scope, revision, limit) {
      const feed = await partition.since(scope === undefined ? SPACE : scopeOf(scope), revision, limit)
      return feed.kind === 'gone' ? feed : { ...feed, changes: feed.changes.filter(isOurs).map(changeOf) }
    },
    revision: () => partition.status().revision,
    follow: follower =>
      partition.follow(committal => {
        const { ours, published } = told(committal)
        if (ours.length > 0 || published.length > 0) follower(ours, published)
      }),
  }
}
