import type { ErrorCode } from '../../src/protocol/errors.ts'

/** The code of whatever goes wrong in a function and has none of its own. */
export const CODES = {
  'stream::set': 'STREAM_SET_ERROR',
  'stream::get': 'STREAM_GET_ERROR',
  'stream::delete': 'STREAM_DELETE_ERROR',
  'stream::list': 'STREAM_GET_GROUP_ERROR',
  'stream::list_groups': 'STREAM_LIST_GROUPS_ERROR',
  'stream::list_all': 'STREAM_LIST_ALL_ERROR',
  'stream::send': 'STREAM_SEND_ERROR',
  'stream::update': 'STREAM_UPDATE_ERROR',
  'stream::delete_group': 'STREAM_DELETE_GROUP_ERROR',
} as const satisfies Record<string, ErrorCode>
