/** What the functions of streams take. */
import { LEVELS } from '../../src/storage/partition.ts'
import { choice, flag, required, shape, text, value, whole } from '../fields.ts'

const stream = { stream_name: required(text('the stream')) }
const group = { ...stream, group_id: required(text('a group of the stream')) }
const item = { ...group, item_id: required(text('an item of the group')) }
const write = {
  if_version: whole('the version that must be there; 0: nothing must be there', 0),
  durability: choice('how far it comes before it is answered', LEVELS),
}
const lifetime = {
  ttl_ms: whole('milliseconds after which the item is deleted', 1),
  expires_at: whole('when the item is deleted, in milliseconds since 1970', 0),
}
const data = { data: required(value('any value')) }
const limit = { limit: whole('rows of one page; all without it', 1) }
const paging = { prefix: text('only names that begin so, in their order'), ...limit }
const cursor = { cursor: text('`cursor` of the page before') }
const afterName = { cursor: text('the last name of the page before') }
const ops = required(
  value('applied in order; each has a type: set, merge, increment, decrement, append, remove'),
)

export const shapes = {
  'stream::set': shape({ ...item, ...data, ...write, ...lifetime }),
  'stream::get': shape({ ...item, with_ids: flag('`{id, data, version}` instead of the value') }),
  'stream::delete': shape({ ...item, ...write }),
  'stream::update': shape({
    ...item,
    ops: { ...ops, schema: { type: 'array', items: { type: 'object' }, ...ops.schema } },
    ...write,
    ...lifetime,
  }),
  'stream::list': shape({
    ...group,
    ...paging,
    ...cursor,
    with_ids: flag('`{items: [{id, data, version}], cursor?}` instead of the values'),
  }),
  'stream::list_groups': shape({ ...stream, ...paging, ...afterName }),
  'stream::list_all': shape({ ...paging, ...afterName }),
  'stream::send': shape({
    ...group,
    id: text('the item it is about, if any'),
    type: required(text('kind of the event')),
    ...data,
  }),
  'stream::delete_group': shape(group),
  'stream::presence': shape({
    stream_name: text('only of this stream'),
    group_id: text('only of this group'),
    ...limit,
    ...cursor,
  }),
}
