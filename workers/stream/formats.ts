/** What the `stream::*` functions take, for discovery. */
type Schema = Readonly<Record<string, unknown>>

const text = (description: string): Schema => ({ type: 'string', description })
const whole = (description: string, minimum: number): Schema => ({ type: 'integer', minimum, description })
const flag = (description: string): Schema => ({ type: 'boolean', description })
const any = (description: string): Schema => ({ description })

const stream = { stream_name: text('the stream') }
const group = { ...stream, group_id: text('a group of the stream') }
const item = { ...group, item_id: text('an item of the group') }
const condition = { if_version: whole('the version that must be there; 0: nothing must be there', 0) }
const durability = {
  durability: { enum: ['memory', 'os', 'disk'], description: 'how far it comes before it is answered' },
}
const lifetime = {
  ttl_ms: whole('milliseconds after which the item is deleted', 1),
  expires_at: whole('when the item is deleted, in milliseconds since 1970', 0),
}
const paging = {
  prefix: text('only names that begin so, in their order'),
  limit: whole('rows of one page; all without it', 1),
}
const afterName = { cursor: text('the last name of the page before') }

function object(properties: Schema, required: readonly string[]): Schema {
  return { type: 'object', properties, required }
}

const address = ['stream_name', 'group_id', 'item_id']
const inGroup = ['stream_name', 'group_id']

export const formats = {
  'stream::set': object({ ...item, data: any('any value'), ...condition, ...lifetime, ...durability }, [
    ...address,
    'data',
  ]),
  'stream::get': object({ ...item, with_ids: flag('`{id, data, version}` instead of the value') }, address),
  'stream::delete': object({ ...item, ...condition, ...durability }, address),
  'stream::update': object(
    {
      ...item,
      ops: {
        type: 'array',
        items: { type: 'object' },
        description: 'applied in order; each has a type: set, merge, increment, decrement, append, remove',
      },
      ...condition,
      ...lifetime,
      ...durability,
    },
    [...address, 'ops'],
  ),
  'stream::list': object(
    {
      ...group,
      ...paging,
      cursor: text('`cursor` of the page before'),
      with_ids: flag('`{items: [{id, data, version}], cursor?}` instead of the values'),
    },
    inGroup,
  ),
  'stream::list_groups': object({ ...stream, ...paging, ...afterName }, ['stream_name']),
  'stream::list_all': object({ ...paging, ...afterName }, []),
  'stream::send': object(
    {
      ...group,
      id: text('the item it is about, if any'),
      type: text('kind of the event'),
      data: any('any value'),
    },
    [...inGroup, 'type', 'data'],
  ),
  'stream::delete_group': object(group, inGroup),
  'stream::presence': object(
    {
      stream_name: text('only of this stream'),
      group_id: text('only of this group'),
      limit: whole('rows of one page; all without it', 1),
      cursor: text('`cursor` of the page before'),
    },
    [],
  ),
} as const
