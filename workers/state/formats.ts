/** What the functions of the state take and answer, for discovery. */

import { limits } from '../../src/protocol/limits.ts'
import { LEVELS } from '../../src/storage/partition.ts'
import { choice, type Fields, flag, type JsonSchema, list, required, shape, text, whole } from '../fields.ts'
import { address, operationFormats, writeFields } from './operations.ts'

/** Of every write. */
export const writeOptions = {
  durability: choice('how far the write comes before it is answered', LEVELS),
  with_meta: flag('the answer says how durable the write is, too'),
}

export const getFields = {
  ...address,
  with_meta: flag('`{value, version, updated_at, expires_at?}` instead of the value'),
}

export const listFields = {
  scope: address.scope,
  prefix: text('only keys that begin so, in their order'),
  limit: whole('rows of one page; all without it', 1),
  cursor: text('`cursor` of the page before'),
  with_keys: flag('`{items: [{key, value, version, updated_at}], cursor?}` instead of the values'),
  keys_only: flag('`{keys: […], cursor?}` instead of the values'),
}

export const listGroupsFields = {
  prefix: text('only scopes that begin so'),
  limit: whole('rows of one page; all without it', 1),
  cursor: text('`cursor` of the page before'),
}

export const batchFields = {
  scope: address.scope,
  operations: required(list('done together or not at all', operationFormats.batch)),
  ...writeOptions,
}

export const transactFields = {
  operations: required(list('done together or not at all', operationFormats.transaction)),
  ...writeOptions,
}

export const watchFields = {
  scope: text('only this scope'),
  key: text('only this key'),
  since: whole('changes after this revision; from now on without it', 0),
  limit: whole('changes in one answer', 1, limits.watchEvents),
  wait_ms: whole('milliseconds to wait if nothing has happened', 0, limits.watchMs),
}

const any: JsonSchema = {}
const version: JsonSchema = { type: 'integer', description: 'of the value; 0: there is none' }
const cursor: JsonSchema = { type: 'string', description: 'absent on the last page' }

function object(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return { type: 'object', properties }
}

const errors: JsonSchema = {
  type: 'array',
  description: 'operations that failed; absent if there are none',
  items: object({
    op_index: { type: 'integer' },
    code: { type: 'string' },
    message: { type: 'string' },
    doc_url: { type: 'string' },
  }),
}
const written = { old_value: any, new_value: any, version }
const results = object({
  results: { type: 'array', items: object({ ...written, errors }) },
  revision: { type: 'integer' },
})

function array(items: JsonSchema): JsonSchema {
  return { type: 'array', items }
}

interface Formats {
  readonly description: string
  readonly request: JsonSchema
  readonly response: JsonSchema
}

const of = (description: string, fields: Fields, response: JsonSchema): Formats => ({
  description,
  request: shape(fields).format,
  response,
})

export const formats = {
  'state::set': of(
    'Sets a value',
    { ...address, ...writeFields.set, ...writeOptions },
    object({ ...written }),
  ),
  'state::get': of('Reads a value', getFields, { description: 'the value; nothing if there is none' }),
  'state::delete': of(
    'Removes a value',
    { ...address, ...writeFields.delete, ...writeOptions },
    { description: 'the value before; nothing if there was none' },
  ),
  'state::update': of(
    'Changes a value by operations',
    { ...address, ...writeFields.update, ...writeOptions },
    object({ ...written, errors }),
  ),
  'state::list': of('Lists the values of a scope', listFields, array(any)),
  'state::list_groups': of(
    'Lists the scopes',
    listGroupsFields,
    object({ groups: array({ type: 'string' }), cursor }),
  ),
  'state::batch': of('Writes several values of a scope, all or none', batchFields, results),
  'state::transact': of(
    'Writes values and stream items, sends events and messages, all or none',
    transactFields,
    results,
  ),
  'state::watch': of(
    'Tells what happened after a revision',
    watchFields,
    object({ events: array({ type: 'object' }), revision: { type: 'integer' } }),
  ),
} as const satisfies Record<string, Formats>

export type FunctionId = keyof typeof formats
