/** The `state::*` functions (`docs/state.md#functions`). */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { BuiltInClient, CallContext, RawJson } from '../../sdk/typescript/src/worker.ts'
import type { JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import { tooLarge } from '../../src/storage/pages.ts'
import type { Level } from '../../src/storage/partition.ts'
import { StorageError } from '../../src/storage/storageError.ts'
import { type Members, type Refuse, readMembers, refusing, shape } from '../fields.ts'
import { createUnderWay } from '../underWay.ts'
import {
  deletedAnswer,
  groupsAnswer,
  itemAnswer,
  type ListForm,
  pageAnswer,
  resultsAnswer,
  writtenAnswer,
} from './answers.ts'
import { type Beyond, requireReach } from './beyond.ts'
import type { StateConfig } from './config.ts'
import * as format from './formats.ts'
import { readAny, readInScope, readWrite, type StateWrite, type WriteContext } from './operations.ts'
import type { StateStore, Write, WriteOptions } from './store.ts'
import type { Watch } from './watch.ts'

export interface FunctionParts {
  readonly store: StateStore
  readonly watch: Watch
  readonly config: StateConfig
  readonly beyond: Beyond
  /** The clock on the wall, milliseconds. */
  readonly wallClock: () => number
}

/** The code of whatever goes wrong in a function and has none of its own. */
const CODES: Readonly<Record<format.FunctionId, string>> = {
  'state::set': 'SET_ERROR',
  'state::get': 'GET_ERROR',
  'state::delete': 'DELETE_ERROR',
  'state::update': 'UPDATE_ERROR',
  'state::list': 'LIST_ERROR',
  'state::list_groups': 'LIST_GROUPS_ERROR',
  'state::batch': 'BATCH_ERROR',
  'state::transact': 'TRANSACT_ERROR',
  'state::watch': 'WATCH_ERROR',
}

function meant(thrown: unknown, code: string): HandlerError {
  if (thrown instanceof HandlerError) return thrown
  if (thrown instanceof StorageError) return new HandlerError(thrown.code, thrown.message, thrown.details)
  return new HandlerError(code, thrown instanceof Error ? thrown.message : String(thrown))
}

const RANK: Readonly<Record<Level, number>> = { memory: 0, os: 1, disk: 2 }

const optionsShape = shape(format.writeOptions)
const getShape = shape(format.getFields)
const listShape = shape(format.listFields)
const listGroupsShape = shape(format.listGroupsFields)
const batchShape = shape(format.batchFields)
const transactShape = shape(format.transactFields)
const watchShape = shape(format.watchFields)

/** Runs the functions that are under way to their end. */
export interface Functions {
  idle(): Promise<void>
}

export function registerFunctions(client: BuiltInClient, parts: FunctionParts): Functions {
  const { store, watch, config, beyond, wallClock } = parts
  const scopeLevels = new Map(Object.entries(config.scope_durability))
  const { track, idle } = createUnderWay()

  function add(
    id: format.FunctionId,
    handle: (
      members: Members,
      refuse: Refuse,
      context: CallContext,
    ) => RawJson | undefined | Promise<RawJson | undefined>,
  ): void {
    const { description, request, response } = format.formats[id]
    const refuse = refusing(id)
    const failed = (error: unknown): never => {
      throw meant(error, CODES[id])
    }
    client.registerFunction<RawJson>(
      id,
      ({ text }, context) => {
        try {
          const answer = handle(readMembers(text, refuse), refuse, context)
          return answer instanceof Promise ? track(answer, failed) : answer
        } catch (error) {
          return failed(error)
        }
      },
      { description, request_format: request, response_format: response, rawInput: true },
    )
  }

  const writeContext = (): WriteContext => ({
    nowMs: Math.floor(wallClock()),
    maxValueBytes: config.max_value_bytes,
  })

  /** What is asked for; else the most that is set for a scope that is written to. */
  function levelOf(asked: Level | undefined, writes: readonly Write[]): Level {
    if (asked !== undefined) return asked
    let level: Level | undefined
    for (const write of writes) {
      const own = 'scope' in write ? (scopeLevels.get(write.scope) ?? config.durability) : config.durability
      if (level === undefined || RANK[own] > RANK[level]) level = own
    }
    return level ?? config.durability
  }

  function optionsOf(
    asked: Level | undefined,
    writes: readonly Write[],
    { traceparent, baggage }: CallContext,
  ): WriteOptions {
    const isCaused = traceparent !== undefined || baggage !== undefined
    return { level: levelOf(asked, writes), cause: isCaused ? { traceparent, baggage } : undefined }
  }

  function addWrite(
    id: format.FunctionId,
    kind: StateWrite,
    answer: typeof writtenAnswer | typeof deletedAnswer,
  ): void {
    add(id, (members, refuse, context) => {
      const { durability, with_meta } = optionsShape.read(members, refuse)
      const writes = [readWrite(kind, members, writeContext(), refuse)]
      return store
        .write(writes, optionsOf(durability, writes, context))
        .then(result => answer(result, with_meta))
    })
  }

  addWrite('state::set', 'set', writtenAnswer)
  addWrite('state::delete', 'delete', deletedAnswer)
  addWrite('state::update', 'update', writtenAnswer)

  add('state::get', (members, refuse) => {
    const { with_meta, ...address } = getShape.read(members, refuse)
    const item = store.get(address)
    // Almost always it is there at once.
    return item instanceof Promise
      ? item.then(found => itemAnswer(found, with_meta))
      : itemAnswer(item, with_meta)
  })

  add('state::list', async (members, refuse) => {
    const { scope, prefix, limit, cursor, with_keys, keys_only } = listShape.read(members, refuse)
    if (with_keys && keys_only) refuse('give either `with_keys` or `keys_only`, not both')
    const form: ListForm = with_keys ? 'items' : keys_only ? 'keys' : 'values'
    try {
      const page = await store.list({ scope, prefix, limit, cursor, keysOnly: keys_only })
      // A list of values has no place for a cursor.
      if (page.isCut && form === 'values') throw tooLarge('with_keys')
      return pageAnswer(page, form)
    } catch (error) {
      if (error instanceof RangeError) return refuse(`field \`cursor\`: ${error.message}`)
      throw error
    }
  })

  add('state::list_groups', async (members, refuse) => {
    const { prefix, limit = Number.MAX_SAFE_INTEGER - 1, cursor } = listGroupsShape.read(members, refuse)
    const after = cursor === undefined ? undefined : Buffer.from(cursor, 'base64url').toString()
    // One more than is shown says whether there is a further page.
    return groupsAnswer(await store.scopes({ prefix, after, limit: limit + 1 }), limit)
  })

  async function writeAll(
    given: readonly JsonText[],
    read: (text: JsonText, context: WriteContext, refuse: Refuse) => Write,
    asked: { readonly durability: Level | undefined; readonly with_meta: boolean },
    refuse: Refuse,
    context: CallContext,
  ): Promise<RawJson> {
    if (given.length > limits.batchOperations)
      refuse(`field \`operations\` has ${given.length} operations, the most are ${limits.batchOperations}`)
    const { traceparent, baggage } = context
    const about = { ...writeContext(), queues: beyond.queues, cause: { traceparent, baggage } }
    const writes = given.map((text, index) =>
      read(text, about, why => refuse(`operations[${index}]: ${why}`)),
    )
    for (const write of writes) requireReach(write, beyond)
    const options = optionsOf(asked.durability, writes, context)
    return resultsAnswer(await store.write(writes, options), asked.with_meta)
  }

  add('state::batch', (members, refuse, context) => {
    const read = batchShape.read(members, refuse)
    const { scope } = read
    return writeAll(
      read.operations,
      (text, about, refuseOne) => readInScope(scope, text, about, refuseOne),
      read,
      refuse,
      context,
    )
  })

  add('state::transact', (members, refuse, context) => {
    const read = transactShape.read(members, refuse)
    return writeAll(read.operations, readAny, read, refuse, context)
  })

  add('state::watch', (members, refuse, { signal }) => {
    const { scope, key, since, limit = limits.watchEvents, wait_ms = 0 } = watchShape.read(members, refuse)
    return watch.ask({ scope, key, since, limit, waitMs: wait_ms, signal })
  })

  return {
    idle,
  }
}
