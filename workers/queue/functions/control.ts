/** Functions that control queues and look into them: `queue::pause`, `resume`, `purge`, `cancel`, `messages`, `message`. */
import { HandlerError } from '../../../sdk/typescript/src/errors.ts'
import { RawJson } from '../../../sdk/typescript/src/worker.ts'
import { asJsonText, quote } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import type { MessageState } from '../../../src/storage/queue/list.ts'
import { choice, flag, text, whole } from '../../fields.ts'
import type { Found, QueueBackend } from '../backend.ts'
import { messageRow } from '../messageRow.ts'
import type { ProgressOfMessages } from '../progress.ts'
import type { Sources } from '../sources.ts'
import { nameOf } from './letters.ts'
import type { Register } from './register.ts'

export interface ControlParts {
  readonly backend: QueueBackend
  readonly sources: Sources
  readonly progress: ProgressOfMessages
}

/** What is asked for by these words: states as they are kept, of which each message has one. */
const KEPT: Readonly<Record<string, readonly MessageState[]>> = {
  ready: ['ready'],
  delayed: ['scheduled', 'backing_off'],
  scheduled: ['scheduled'],
  backing_off: ['backing_off'],
  behind: ['behind'],
  leased: ['ready'],
  parked: ['ready', 'behind'],
  dead: ['dead'],
}
const ALL: readonly MessageState[] = ['ready', 'behind', 'scheduled', 'backing_off']

/** Of those that are kept as ready, some are with somebody, or their queue hands out nothing. */
const IS_MEANT: Readonly<Record<string, (reason: Found['reason']) => boolean>> = {
  ready: reason => reason === 'ready' || reason === 'no_capacity' || reason === 'key',
  leased: reason => reason === 'leased' || reason === 'ending',
  parked: reason => ['paused', 'not_configured', 'no_worker', 'rate', 'predecessor'].includes(reason),
}

const which = {
  queue: text('a named queue, or a topic'),
  topic: text('the same as `queue`'),
} as const
const NAME = ['queue_not_set', 'Queue name is required'] as const

/** A page is one of a state of a queue; those of a topic and of several states come one after the other. */
function readCursor(given: string | undefined, refuse: (why: string) => never): [number, string | undefined] {
  if (given === undefined) return [0, undefined]
  const [, part, rest] =
    /^(\d{1,6})\.(.*)$/.exec(given) ?? refuse('field `cursor`: it is none that a page has given')
  return [Number(part), rest === '' ? undefined : rest]
}

export function registerControl(register: Register, { backend, sources, progress }: ControlParts): void {
  for (const [id, isPaused, does] of [
    [
      'queue::pause',
      true,
      'Hands out nothing more of a queue, also after a restart; what is under way may end',
    ],
    ['queue::resume', false, 'Lets a queue that is paused go on'],
  ] as const) {
    register({
      id,
      description: does,
      fields: which,
      failure: isPaused ? 'pause_failed' : 'resume_failed',
      async run(input, _, refuse) {
        const queue = nameOf(input, refuse, ...NAME)
        for (const kept of sources.queuesOf(queue)) await backend.pause(kept, isPaused)
        return { queue, paused: isPaused }
      },
    })
  }

  register({
    id: 'queue::purge',
    description: 'Removes the messages of a queue, those that are under way too',
    fields: { ...which, state: choice('only those of this state', ['ready', 'delayed', 'behind', 'dead']) },
    failure: 'purge_failed',
    async run(input, _, refuse) {
      const queue = nameOf(input, refuse, ...NAME)
      const states = input.state === undefined ? [undefined] : KEPT[input.state]!
      let purged = 0
      for (const kept of sources.queuesOf(queue))
        for (const state of states) purged += await backend.purge(kept, state)
      return { queue, purged }
    },
  })

  register({
    id: 'queue::cancel',
    description: 'Removes a message that is not dead; if it is under way, how it ends counts no more',
    fields: { message_id: text('its receipt'), id: text('the same as `message_id`') },
    failure: 'cancel_failed',
    async run({ message_id, id }, _, refuse) {
      const receipt = message_id ?? id ?? refuse('missing field `message_id`')
      if (receipt === '') throw new HandlerError('message_id_not_set', 'Message ID is required')
      return { message_id: receipt, cancelled: await backend.cancel(receipt) }
    },
  })

  register({
    id: 'queue::message',
    description: 'Everything that is known of a message, with the reason why it is not handled now',
    fields: { message_id: text('its receipt'), id: text('the same as `message_id`') },
    failure: 'message_failed',
    async run({ message_id, id }, _, refuse) {
      const receipt = message_id ?? id ?? refuse('missing field `message_id`')
      const found = await backend.find(receipt)
      if (found === undefined)
        throw new HandlerError(
          'NOT_FOUND',
          `Message '${receipt.slice(0, 100)}' not found: it is done, or was never there`,
        )
      return new RawJson(rowOf(found, true))
    },
  })

  const rowOf = ({ message, reason, lease }: Found, withData: boolean) =>
    messageRow(message, reason, { withData, lease, progress: progress.of(message.number) })

  register({
    id: 'queue::messages',
    description: 'Lists messages of a queue, each with the reason why it is not handled now',
    fields: {
      ...which,
      state: choice('only those; all that are not dead without it', Object.keys(KEPT)),
      cursor: text('of the page before'),
      limit: whole('messages looked at; 50 without it', 1, limits.queuePage),
      with_data: flag('with the data of each'),
    },
    failure: 'messages_failed',
    async run({ state, cursor, limit = 50, with_data, ...input }, _, refuse) {
      const name = nameOf(input, refuse, ...NAME)
      const states = state === undefined ? ALL : KEPT[state]!
      const parts = sources.queuesOf(name).flatMap(queue => states.map(each => ({ queue, state: each })))
      const isMeant = (state === undefined ? undefined : IS_MEANT[state]) ?? (() => true)
      const rows: string[] = []
      let [part, at] = readCursor(cursor, refuse)
      for (let left = limit; part < parts.length && left > 0; ) {
        const { queue, state: kept } = parts[part]!
        const page = await pageOf(queue, kept, at, left, refuse)
        left -= page.found.length
        for (const found of page.found) if (isMeant(found.reason)) rows.push(rowOf(found, with_data))
        at = page.cursor
        if (at === undefined) part++
        else break
      }
      const next = part < parts.length ? `,"cursor":${quote(`${part}.${at ?? ''}`)}` : ''
      return new RawJson(asJsonText(`{"messages":[${rows.join(',')}]${next}}`))
    },
  })

  async function pageOf(
    queue: string,
    state: MessageState,
    cursor: string | undefined,
    limit: number,
    refuse: (why: string) => never,
  ) {
    try {
      return await backend.list(queue, state, cursor, limit)
    } catch (error) {
      if (error instanceof RangeError) return refuse(`field \`cursor\`: ${error.message}`)
      throw error
    }
  }
}
