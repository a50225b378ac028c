/**
 * Writes as they stand in inputs. The input of `state::set` and the operation `set` of a batch have the same fields, and so
 * on: what can be written alone can be written together.
 */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import { depthOf } from '../../src/protocol/json/split.ts'
import { type JsonText, quote } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Cause } from '../../src/storage/change.ts'
import { MalformedOperations, readOperations } from '../../src/storage/update/read.ts'
import {
  type JsonSchema,
  type Members,
  type Refuse,
  readMembers,
  required,
  shape,
  text,
  value,
  whole,
} from '../fields.ts'
import type { QueueAccess } from '../queueAccess.ts'
import type { Write } from './store.ts'

export interface WriteContext {
  /** Wall clock, milliseconds. */
  readonly nowMs: number
  readonly maxValueBytes: number | undefined
  /** Queues that are kept where the state is, and the call that the messages are from. */
  readonly queues?: QueueAccess | undefined
  readonly cause?: Cause | undefined
}

const condition = { if_version: whole('the version that must be there; 0: nothing must be there', 0) }
const lifetime = {
  ttl_ms: whole('milliseconds after which the value is removed', 1),
  expires_at: whole('when the value is removed, in milliseconds since 1970', 0),
}
const content = { value: value('any value'), data: value('the same as `value`') }
const ops = {
  ops: required(value('applied in order; each has a type: set, merge, increment, decrement, append, remove')),
}
export const address = { scope: required(text('any text')), key: required(text('any text')) }
const item = {
  stream_name: required(text('the stream')),
  group_id: required(text('a group of the stream')),
  item_id: required(text('an item of the group')),
}

/** The fields of writes, without those that say where. */
export const writeFields = {
  set: { ...content, ...condition, ...lifetime },
  delete: condition,
  update: { ...ops, ...condition, ...lifetime },
} as const

const addressShape = shape(address)
const itemShape = shape(item)
const conditionShape = shape(condition)
const putShape = shape(writeFields.set)
const updateShape = shape(writeFields.update)
const sendShape = shape({
  stream_name: item.stream_name,
  group_id: item.group_id,
  id: text('an item of the group'),
  type: required(text('kind of the event')),
  data: required(value('any value')),
})
const publishShape = shape({ topic: required(text('the topic')), data: required(value('any value')) })
const named = shape({ op: required(text('what is done')) })

/** Throws when a value is larger, or nested more deeply, than what is kept. */
function checked(given: JsonText, { maxValueBytes }: WriteContext): JsonText {
  if (maxValueBytes !== undefined && given.length * 3 > maxValueBytes) {
    const bytes = Buffer.byteLength(given)
    if (bytes > maxValueBytes) {
      throw new HandlerError(
        'VALUE_TOO_LARGE',
        `value of ${bytes} bytes exceeds the configured max_value_bytes limit of ${maxValueBytes}`,
      )
    }
  }
  if (given.length > 2 * limits.valueDepth && depthOf(given) > limits.valueDepth) {
    throw new HandlerError(
      'VALUE_TOO_DEEP',
      `the value is nested ${depthOf(given)} levels deep, the maximum is ${limits.valueDepth}`,
    )
  }
  return given
}

function expiryOf(
  read: { readonly ttl_ms: number | undefined; readonly expires_at: number | undefined },
  { nowMs }: WriteContext,
  refuse: Refuse,
): number | undefined {
  if (read.ttl_ms !== undefined && read.expires_at !== undefined)
    refuse('give either `ttl_ms` or `expires_at`, not both')
  return read.ttl_ms === undefined ? read.expires_at : nowMs + read.ttl_ms
}

function addressOf(members: Members, refuse: Refuse) {
  return addressShape.read(members, refuse)
}

function itemOf(members: Members, refuse: Refuse) {
  const read = itemShape.read(members, refuse)
  return { stream: read.stream_name, group: read.group_id, item: read.item_id }
}

function conditionOf(members: Members, refuse: Refuse) {
  return { ifVersion: conditionShape.read(members, refuse).if_version }
}

function putOf(members: Members, context: WriteContext, refuse: Refuse) {
  const read = putShape.read(members, refuse)
  if (read.value !== undefined && read.data !== undefined) refuse('give either `value` or `data`, not both')
  const stored = checked(read.value ?? read.data ?? refuse('missing field `value`'), context)
  return { value: stored, ifVersion: read.if_version, expiresAtMs: expiryOf(read, context, refuse) }
}

function updateOf(members: Members, context: WriteContext, refuse: Refuse) {
  const read = updateShape.read(members, refuse)
  const expiresAtMs = expiryOf(read, context, refuse)
  const { maxValueBytes } = context
  try {
    return { operations: readOperations(read.ops), ifVersion: read.if_version, expiresAtMs, maxValueBytes }
  } catch (error) {
    if (error instanceof MalformedOperations) return refuse(error.message)
    throw error
  }
}

type Reader = (members: Members, context: WriteContext, refuse: Refuse) => Write

const stateReaders = {
  set(members, context, refuse) {
    const { scope, key } = addressOf(members, refuse)
    const { value: stored, ifVersion, expiresAtMs } = putOf(members, context, refuse)
    return { kind: 'set', scope, key, value: stored, ifVersion, expiresAtMs }
  },
  delete: (members, _, refuse) => ({
    kind: 'delete',
    ...addressOf(members, refuse),
    ...conditionOf(members, refuse),
  }),
  update: (members, context, refuse) => ({
    kind: 'update',
    ...addressOf(members, refuse),
    ...updateOf(members, context, refuse),
  }),
} as const satisfies Record<string, Reader>

export type StateWrite = keyof typeof stateReaders

/** The writes of a transaction, each under the name of the function that does it alone. */
const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['state::set', stateReaders.set],
  ['state::delete', stateReaders.delete],
  ['state::update', stateReaders.update],
  [
    'stream::set',
    (members, context, refuse) => ({
      kind: 'stream_set',
      ...itemOf(members, refuse),
      ...putOf(members, context, refuse),
    }),
  ],
  [
    'stream::delete',
    (members, _, refuse) => ({
      kind: 'stream_delete',
      ...itemOf(members, refuse),
      ...conditionOf(members, refuse),
    }),
  ],
  [
    'stream::update',
    (members, context, refuse) => ({
      kind: 'stream_update',
      ...itemOf(members, refuse),
      ...updateOf(members, context, refuse),
    }),
  ],
  [
    'stream::send',
    (members, context, refuse) => {
      const { stream_name, group_id, id, type, data } = sendShape.read(members, refuse)
      const told = checked(data, context)
      return { kind: 'stream_send', stream: stream_name, group: group_id, item: id, type, data: told }
    },
  ],
  [
    'publish',
    (members, context, refuse) => {
      const { topic, data } = publishShape.read(members, refuse)
      if (topic === '') refuse('field `topic` must not be empty')
      if (topic.length > limits.topicLength)
        refuse(`field \`topic\` has ${topic.length} characters, the most are ${limits.topicLength}`)
      return { kind: 'publish', topic, data: checked(data, context) }
    },
  ],
  [
    'enqueue',
    (members, { queues, cause }, refuse) => {
      const messages = queues?.messagesOf?.(members, refuse, cause)
      if (messages !== undefined) return { kind: 'enqueue', messages }
      throw new HandlerError(
        'NOT_SUPPORTED',
        'queues are not kept where the state is: configure iii-queue with the same store, or use queue::push alone',
      )
    },
  ],
])

/** The input of `state::set`, `state::delete` or `state::update`. */
export function readWrite(kind: StateWrite, members: Members, context: WriteContext, refuse: Refuse): Write {
  return stateReaders[kind](members, context, refuse)
}

/** One operation of a transaction. */
export function readAny(given: JsonText, context: WriteContext, refuse: Refuse): Write {
  const members = readMembers(given, refuse)
  const { op } = named.read(members, refuse)
  const read = readers.get(op)
  if (read === undefined) return refuse(unknown(op, [...readers.keys()]))
  return read(members, context, refuse)
}

/** One operation of a batch; its scope is said once for all. */
export function readInScope(scope: string, given: JsonText, context: WriteContext, refuse: Refuse): Write {
  const members = readMembers(given, refuse)
  const { op } = named.read(members, refuse)
  const read = readers.get(op.startsWith('state::') ? op : `state::${op}`)
  if (read === undefined) return refuse(unknown(op, Object.keys(stateReaders)))
  return read(members.set('scope', quote(scope)), context, refuse)
}

function unknown(op: string, known: readonly string[]): string {
  return `unknown operation '${op.slice(0, 100)}', expected one of ${known.join(', ')}`
}

/** For discovery. */
export const operationFormats: { readonly batch: JsonSchema; readonly transaction: JsonSchema } = {
  batch: {
    type: 'object',
    properties: {
      op: { enum: Object.keys(stateReaders) },
      key: address.key.schema,
    },
    required: ['op', 'key'],
    description: 'beside `op`, the input of the function of that name without its `scope`',
  },
  transaction: {
    type: 'object',
    properties: { op: { enum: [...readers.keys()] } },
    required: ['op'],
    description: 'beside `op`, the input of the function of that name',
  },
}
