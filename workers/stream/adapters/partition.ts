/**
 * Items in the durable partition. Sequence numbers are its revisions.
 *
 * What `tell` records is a change of kind `told` whose `type` is the kind of the event, so that a custom stream, whose
 * items are somewhere else, has events with numbers and in an order like any other.
 */
import { JSON_NULL } from '../../../src/protocol/jsonText.ts'
import type { EntryChange } from '../../../src/storage/change.ts'
import type { Collection, Command } from '../../../src/storage/command.ts'
import { readPage } from '../../../src/storage/pages.ts'
import type { Level, Partition, SubmitOptions } from '../../../src/storage/partition.ts'
import { type Entry, hasExpired } from '../../../src/storage/tables.ts'
import type {
  Address,
  EventKind,
  Group,
  Item,
  NameQuery,
  StreamEvent,
  StreamStore,
  Written,
} from '../store.ts'

const SPACE = 'stream'
const ALL = { prefix: undefined, cursor: undefined, limit: undefined }
/** Events that store nothing wait for no disk. */
const TOLD: Level = 'memory'

const KINDS: Record<EntryChange['event'], EventKind> = {
  created: 'create',
  updated: 'update',
  deleted: 'delete',
  told: 'event',
}

const collectionOf = ({ stream, group }: Group): Collection => ({ space: SPACE, name: stream, group })
const placeIn = (address: Address) => ({ collection: collectionOf(address), key: address.item })
const itemOf = ({ key, value, version }: Entry): Item => ({ id: key, data: value, version })
const isLive = (entry: Entry, nowMs: number): boolean => !hasExpired(entry, nowMs)

function eventOf(change: EntryChange): StreamEvent {
  const { revision, atMs, name, group, key, event, reason, oldValue, newValue, type, cause } = change
  const kind = event === 'told' ? ((type ?? 'event') as EventKind) : KINDS[event]
  const data = (event === 'deleted' ? oldValue : newValue) ?? JSON_NULL
  return { seq: revision, atMs, stream: name, group, item: key, kind, data, reason, cause }
}

export function createPartitionStore(partition: Partition): StreamStore {
  async function write(command: Command, options: SubmitOptions): Promise<Written> {
    const { answers } = await partition.submit([command], options)
    return answers[0]!
  }

  return {
    set: (address, value, { ifVersion, expiresAtMs, ...options }) =>
      write({ command: 'put', ...placeIn(address), value, ifVersion, expiresAtMs }, options),
    remove: (address, { ifVersion, expiresAtMs: _, ...options }) =>
      write({ command: 'remove', ...placeIn(address), ifVersion, tellsMissing: false }, options),
    update: (address, operations, { ifVersion, expiresAtMs, maxValueBytes, ...options }) =>
      write(
        {
          command: 'update',
          ...placeIn(address),
          operations,
          ifVersion,
          expiresAtMs,
          maxValueBytes,
        },
        options,
      ),
    async removeAll(group, items, cause) {
      const collection = collectionOf(group)
      const common = { command: 'remove', collection, ifVersion: undefined, tellsMissing: false } as const
      await partition.submit(
        items.map(key => ({ ...common, key })),
        { cause },
      )
    },
    async tell(group, item, kind, data, cause) {
      const collection = collectionOf(group)
      const level = kind === 'event' ? TOLD : 'disk'
      await write({ command: 'tell', collection, key: item, type: kind, data }, { level, cause })
    },
    async get(address) {
      return await partition.read((tables, nowMs) => {
        const entry = tables.get(collectionOf(address), address.item)
        return entry !== undefined && isLive(entry, nowMs) ? itemOf(entry) : undefined
      })
    },
    async list(group, query) {
      const { entries, cursor, isCut } = await partition.read((tables, nowMs) =>
        readPage(tables, nowMs, collectionOf(group), query),
      )
      return { items: entries.map(itemOf), cursor, isCut }
    },
    groups: async (stream, query) =>
      await partition.read(tables => tables.groups(SPACE, stream, namesQuery(query))),
    streams: async query => await partition.read(tables => tables.names(SPACE, namesQuery(query))),
    async snapshot(group, item) {
      const collection = collectionOf(group)
      return await partition.read((tables, nowMs, seq) => {
        if (item === undefined) {
          const { entries, isCut } = readPage(tables, nowMs, collection, ALL)
          return { seq, items: entries.map(itemOf), isCut }
        }
        const entry = tables.get(collection, item)
        return {
          seq,
          items: entry !== undefined && isLive(entry, nowMs) ? [itemOf(entry)] : [],
          isCut: false,
        }
      })
    },
    async replay(group, seq, limit) {
      const feed = await partition.since(collectionOf(group), seq, limit)
      if (feed.kind === 'gone') return undefined
      // A page that is full may not be all.
      if (feed.changes.length >= limit) return undefined
      return { seq: feed.revision, events: feed.changes.map(eventOf) }
    },
    seq: () => partition.status().revision,
    follow: follower =>
      partition.follow(({ changes }) => {
        const events = changes.filter(({ space }) => space === SPACE).map(eventOf)
        if (events.length > 0) follower(events)
      }),
  }
}

function namesQuery({ prefix, after, limit }: NameQuery) {
  return { prefix, after, limit: limit ?? Number.MAX_SAFE_INTEGER }
}
