/** The `stream::*` functions (`docs/streams.md#functions`). */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import { type BuiltInClient, type CallContext, RawJson } from '../../sdk/typescript/src/worker.ts'
import { depthOf } from '../../src/protocol/json/split.ts'
import { asJsonText, JSON_NULL, type JsonText, quote, toJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Cause } from '../../src/storage/change.ts'
import { tooLarge } from '../../src/storage/pages.ts'
import type { Level } from '../../src/storage/partition.ts'
import { StorageError } from '../../src/storage/storageError.ts'
import type { UpdateOperation } from '../../src/storage/update/operation.ts'
import { MalformedOperations, readOperations } from '../../src/storage/update/read.ts'
import { type Refuse, readMembers, refusing } from '../fields.ts'
import { CODES } from './codes.ts'
import type { StreamConfig } from './config.ts'
import type { Custom } from './custom.ts'
import * as customWrites from './customWrites.ts'
import { shapes } from './formats.ts'
import { itemsText, itemText, toldData } from './messages.ts'
import type { Address, Group, NameQuery, StreamStore, WriteOptions, Written } from './store.ts'

export interface FunctionParts {
  readonly store: StreamStore
  readonly custom: Custom
  readonly wallClock: () => number
  readonly config: StreamConfig
}

type FunctionId = keyof typeof CODES

/** Input of a function, as its shape reads it. */
type Input<Id extends FunctionId> = ReturnType<(typeof shapes)[Id]['read']>

interface GroupInput {
  readonly stream_name: string
  readonly group_id: string
}

interface WriteInput extends GroupInput {
  readonly item_id: string
  readonly if_version?: number | undefined
  readonly ttl_ms?: number | undefined
  readonly expires_at?: number | undefined
  readonly durability?: Level | undefined
}

const groupOf = ({ stream_name, group_id }: GroupInput): Group => ({ stream: stream_name, group: group_id })

const addressOf = (input: GroupInput & { readonly item_id: string }): Address => ({
  ...groupOf(input),
  item: input.item_id,
})

const nameQuery = ({ prefix, cursor, limit }: Input<'stream::list_all'>): NameQuery => ({
  prefix,
  after: cursor,
  limit,
})

function operationsOf(text: JsonText, refuse: Refuse): UpdateOperation[] {
  try {
    return readOperations(text)
  } catch (error) {
    if (error instanceof MalformedOperations) return refuse(error.message)
    throw error
  }
}

export function writtenText({ oldValue, newValue, version, errors }: Written): RawJson {
  const failed = errors.length === 0 ? '' : `,"errors":${toJsonText(errors)}`
  return new RawJson(
    asJsonText(
      `{"old_value":${oldValue ?? JSON_NULL},"new_value":${newValue ?? JSON_NULL},"version":${version}${failed}}`,
    ),
  )
}

/** Refuses a value that is larger, or nested more deeply, than what is kept. */
function checked(data: JsonText, most: number | undefined): JsonText {
  if (most !== undefined && data.length * 3 > most) {
    const bytes = Buffer.byteLength(data)
    if (bytes > most)
      throw new HandlerError(
        'VALUE_TOO_LARGE',
        `value of ${bytes} bytes exceeds the configured max_value_bytes limit of ${most}`,
      )
  }
  if (data.length > 2 * limits.valueDepth && depthOf(data) > limits.valueDepth) {
    throw new HandlerError(
      'VALUE_TOO_DEEP',
      `the value is nested ${depthOf(data)} levels deep, the maximum is ${limits.valueDepth}`,
    )
  }
  return data
}

/** Options that only the store knows. */
function refuseOptions(input: WriteInput, refuse: Refuse): void {
  for (const name of ['if_version', 'ttl_ms', 'expires_at'] as const) {
    if (input[name] !== undefined)
      refuse(`stream '${input.stream_name}' has storage of its own, which does not know \`${name}\``)
  }
}

export function registerFunctions(
  client: BuiltInClient,
  { store, custom, wallClock, config }: FunctionParts,
): void {
  const levels = new Map(Object.entries(config.stream_durability))

  const causeOf = ({ traceparent, baggage }: CallContext): Cause => ({ traceparent, baggage })

  function writeOptionsOf(input: WriteInput, refuse: Refuse, context: CallContext): WriteOptions {
    const { ttl_ms: ttlMs, expires_at: expiresAtMs } = input
    if (ttlMs !== undefined && expiresAtMs !== undefined)
      refuse('give either `ttl_ms` or `expires_at`, not both')
    return {
      ifVersion: input.if_version,
      expiresAtMs: expiresAtMs ?? (ttlMs === undefined ? undefined : Math.floor(wallClock()) + ttlMs),
      level: input.durability ?? levels.get(input.stream_name) ?? config.durability,
      cause: causeOf(context),
    }
  }

  function add<Id extends FunctionId>(
    id: Id,
    description: string,
    handle: (input: Input<Id>, refuse: Refuse, context: CallContext) => Promise<unknown>,
  ): void {
    const refuse = refusing(id)
    const { format, read } = shapes[id]
    client.registerFunction<RawJson>(
      id,
      async (given, context) => {
        try {
          return await handle(read(readMembers(given.text, refuse), refuse) as Input<Id>, refuse, context)
        } catch (error) {
          throw meant(error, CODES[id])
        }
      },
      { description, request_format: format, rawInput: true },
    )
  }

  add('stream::set', 'Sets an item of a stream and tells its clients', async (input, refuse, context) => {
    const address = addressOf(input)
    const data = checked(input.data, config.max_value_bytes)
    if (await custom.has('set', address.stream)) {
      refuseOptions(input, refuse)
      return await customWrites.set({ store, custom, cause: causeOf(context) }, address, data)
    }
    return writtenText(await store.set(address, data, writeOptionsOf(input, refuse, context)))
  })

  add('stream::get', 'Reads an item of a stream', async input => {
    const address = addressOf(input)
    if (await custom.has('get', address.stream))
      return raw(await custom.ask('get', address.stream, customWrites.addressText(address)))
    const item = await store.get(address)
    if (item === undefined) return undefined
    return new RawJson(input.with_ids ? asJsonText(itemText(item)) : item.data)
  })

  add(
    'stream::delete',
    'Deletes an item of a stream and tells its clients',
    async (input, refuse, context) => {
      const address = addressOf(input)
      if (await custom.has('delete', address.stream)) {
        refuseOptions(input, refuse)
        return await customWrites.remove({ store, custom, cause: causeOf(context) }, address)
      }
      const { oldValue } = await store.remove(address, writeOptionsOf(input, refuse, context))
      return new RawJson(asJsonText(`{"old_value":${oldValue ?? JSON_NULL}}`))
    },
  )

  add('stream::update', 'Changes an item of a stream by operations', async (input, refuse, context) => {
    const address = addressOf(input)
    const operations = operationsOf(input.ops, refuse)
    if ((await custom.has('update', address.stream)) || (await custom.has('set', address.stream))) {
      refuseOptions(input, refuse)
      return await customWrites.update(
        { store, custom, cause: causeOf(context) },
        address,
        input.ops,
        operations,
      )
    }
    const options = { ...writeOptionsOf(input, refuse, context), maxValueBytes: config.max_value_bytes }
    return writtenText(await store.update(address, operations, options))
  })

  add('stream::list', 'Lists the items of a group', async (input, refuse) => {
    const group = groupOf(input)
    if (await custom.has('list', group.stream))
      return raw(await custom.ask('list', group.stream, customWrites.groupText(group)))
    const { prefix, cursor, limit, with_ids: withIds } = input
    const page = await store.list(group, { prefix, cursor, limit }).catch((error: unknown) => {
      throw error instanceof RangeError ? refuse(`field \`cursor\`: ${error.message}`) : error
    })
    // A list of values has no place for a cursor.
    if (page.isCut && !withIds) throw tooLarge('with_ids')
    const items = itemsText(page.items, withIds)
    if (!withIds) return new RawJson(items)
    const next = page.cursor === undefined ? '' : `,"cursor":${quote(page.cursor)}`
    return new RawJson(asJsonText(`{"items":${items}${next}}`))
  })

  add('stream::list_groups', 'Lists the groups of a stream', async input => {
    const stream = input.stream_name
    if (await custom.has('list_groups', stream)) {
      return raw(await custom.ask('list_groups', stream, asJsonText(`{"stream_name":${quote(stream)}}`)))
    }
    return await store.groups(stream, nameQuery(input))
  })

  add('stream::list_all', 'Lists all streams and their groups', async input => {
    const streams = await store.streams(nameQuery(input))
    const all = { prefix: undefined, after: undefined, limit: undefined }
    const rows = await Promise.all(streams.map(async id => ({ id, groups: await store.groups(id, all) })))
    return { stream: rows, count: rows.length }
  })

  add(
    'stream::send',
    'Tells the clients of a group something that is not stored',
    async (input, _, context) => {
      const group = groupOf(input)
      const data = toldData(input.type, checked(input.data, config.max_value_bytes))
      await store.tell(group, input.id, 'event', data, causeOf(context))
      return undefined
    },
  )

  add('stream::delete_group', 'Deletes all items of a group', async (input, refuse, context) => {
    const group = groupOf(input)
    if (await custom.has('set', group.stream))
      refuse(`stream '${group.stream}' has storage of its own; delete its items one by one`)
    let deleted = 0
    let cursor: string | undefined
    do {
      const page = await store.list(group, {
        prefix: undefined,
        cursor,
        limit: limits.streamDeletePortion,
        characters: limits.turnCharacters,
      })
      if (page.items.length > 0) {
        await store.removeAll(
          group,
          page.items.map(({ id }) => id),
          causeOf(context),
        )
      }
      deleted += page.items.length
      cursor = page.cursor
    } while (cursor !== undefined)
    return { deleted }
  })
}

function raw(result: JsonText | undefined): RawJson | undefined {
  return result === undefined ? undefined : new RawJson(result)
}

/** An error with a code: its own, if it is meant for the caller. */
function meant(error: unknown, code: string): unknown {
  if (error instanceof HandlerError) return error
  if (error instanceof StorageError) return new HandlerError(error.code, error.message, error.details)
  return new HandlerError(code, error instanceof Error ? error.message : String(error))
}
