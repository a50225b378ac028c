/** The codes of the `stream::*` functions, a part of the catalogue in `errors.ts`. */
import type { ErrorEntry } from './errors.ts'

function failed(name: string): ErrorEntry {
  return {
    where: ['call'],
    cause: `\`stream::${name}\` failed: in the store, or in the function that keeps the items of the stream.`,
    fix: 'The message says which; look at the log of the engine, or of the worker that keeps the items.',
  }
}

export const streamErrors = {
  STREAM_SET_ERROR: failed('set'),
  STREAM_GET_ERROR: failed('get'),
  STREAM_DELETE_ERROR: failed('delete'),
  STREAM_GET_GROUP_ERROR: failed('list'),
  STREAM_LIST_GROUPS_ERROR: failed('list_groups'),
  STREAM_LIST_ALL_ERROR: failed('list_all'),
  STREAM_SEND_ERROR: failed('send'),
  STREAM_UPDATE_ERROR: failed('update'),
  STREAM_DELETE_GROUP_ERROR: failed('delete_group'),
  JSON_ERROR: {
    where: ['call'],
    cause: 'A function that keeps the items of a stream returned something else than it has to.',
    fix: 'Return `{old_value, new_value}` from `set` and `update`, `{old_value}` from `delete`.',
  },
} as const satisfies Record<string, ErrorEntry>
