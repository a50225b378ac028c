/** What a transaction writes beyond the state: refused where nobody would ever see it. */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { QueueAccess } from '../queueAccess.ts'
import type { Write } from './store.ts'

export interface Beyond {
  /** Whether streams are kept where the state is. */
  readonly streams: boolean
  /** Queues that are kept where the state is. */
  readonly queues?: QueueAccess | undefined
  /** Whether somebody answers a function of the default namespace now; absent where that is not known. */
  readonly hasFunction: ((id: string) => boolean) | undefined
}

/** Any of these means that a worker keeps the items of the stream. */
const OVERRIDES = ['set', 'update', 'delete'] as const

function refuse(why: string): never {
  throw new HandlerError('NOT_SUPPORTED', why)
}

/** Throws a `HandlerError` for a write that would be lost. */
export function requireReach(write: Write, { streams, hasFunction }: Beyond): void {
  if (write.kind === 'publish') {
    if (hasFunction?.('publish') === false)
      refuse('nobody offers `publish` here: configure iii-pubsub, or do without the messages')
    return
  }
  if (!('stream' in write)) return
  if (!streams)
    refuse(
      'streams are not kept where the state is: configure iii-stream with the same store, or use stream::* alone',
    )
  if (write.kind === 'stream_send') return
  const own = OVERRIDES.map(operation => `stream::${operation}(${write.stream})`).find(id =>
    hasFunction?.(id),
  )
  if (own !== undefined)
    refuse(`a worker keeps the items of this stream (it offers '${own.slice(0, 200)}'); use stream::* alone`)
}
