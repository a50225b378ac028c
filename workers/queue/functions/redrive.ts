/** `iii::queue::redrive`: dead messages are tried again, all of them or some, as fast as it is wanted. */
import type { Clock } from '../../../src/clock/clock.ts'
import { JSON_NULL } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import type { Message } from '../../../src/storage/queue/message.ts'
import { text, whole } from '../../fields.ts'
import type { Waiters } from '../../waiters.ts'
import type { QueueBackend } from '../backend.ts'
import { errorText, receiptOf } from '../messageRow.ts'
import { createRate } from '../rate.ts'
import type { Sources } from '../sources.ts'
import { nameOf, which } from './letters.ts'
import type { Register } from './register.ts'

export interface RedriveParts {
  readonly backend: QueueBackend
  readonly sources: Sources
  readonly clock: Clock
  readonly waiters: Waiters
}

interface Filter {
  /** Part of the last error of a message. */
  readonly error: string | undefined
  /** Wall clock, milliseconds: it has died then or later. */
  readonly sinceMs: number | undefined
}

/** Dead messages of one queue that are to be tried again: how many, and how the next of them are. */
interface Chosen {
  left: number
  /** Resolves with how many it was. */
  next(count: number): Promise<number>
}

const isMeant = (message: Message, { error, sinceMs = 0 }: Filter): boolean =>
  message.deadAtMs! >= sinceMs && (error === undefined || errorText(message).includes(error))

export function registerRedrive(register: Register, parts: RedriveParts): void {
  const { backend, sources, clock, waiters } = parts

  /** Those that died first go first. Those that die meanwhile are not among them. */
  async function all(queue: string): Promise<Chosen> {
    const { dead } = await backend.state(queue)
    return {
      left: dead,
      next: count => backend.redrive(queue, { limit: count }),
    }
  }

  async function filtered(queue: string, filter: Filter, limit: number): Promise<Chosen> {
    /** The latest first. */
    const found: Message[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await backend.list(queue, 'dead', cursor, limits.queuePage)
      for (const { message } of page.found)
        if (isMeant(message, filter)) found.push({ ...message, data: JSON_NULL })
      if (found.length > 2 * limits.queueRedriven) found.splice(0, limits.queueRedriven)
      cursor = page.cursor
      const last = page.found.at(-1)?.message
      if (cursor === undefined || (last !== undefined && last.deadAtMs! < (filter.sinceMs ?? 0))) break
    }
    const chosen = found.slice(-Math.min(limit, limits.queueRedriven))
    // The oldest of a group has to be its head.
    const receipts = chosen.sort((one, other) => one.number - other.number).map(receiptOf)
    return {
      left: receipts.length,
      async next(count) {
        const portion = receipts.splice(0, count).map(receipt => backend.redrive(queue, { receipt }))
        return (await Promise.all(portion)).reduce((sum, one) => sum + one, 0)
      },
    }
  }

  register({
    id: 'iii::queue::redrive',
    description: 'Tries dead messages of a queue again',
    fields: {
      ...which,
      limit: whole('only so many of them, those that died first; all without it', 1),
      rate_per_second: whole('so many in a second; at once without it', 1, limits.queueRate),
      error: text('only those whose last error (`code: message`) has this in it'),
      since: whole('only those that died at this time or later, milliseconds since 1970', 0),
    },
    failure: 'redrive_failed',
    async run(
      { limit = Number.MAX_SAFE_INTEGER, rate_per_second, error, since, ...input },
      { signal },
      refuse,
    ) {
      const name = nameOf(input, refuse, 'queue_not_set', 'Queue name is required')
      // Who asks for one portion after the other has the rate, too.
      const rate = rate_per_second === undefined ? undefined : createRate(rate_per_second, clock.now, true)
      const isFiltered = error !== undefined || since !== undefined
      let redriven = 0
      for (const queue of sources.queuesOf(name)) {
        const more = limit - redriven
        const chosen = await (isFiltered ? filtered(queue, { error, sinceMs: since }, more) : all(queue))
        let left = Math.min(chosen.left, more)
        // Nobody hears of more when the call was given up, or the engine ends.
        while (left > 0 && !signal.aborted && !waiters.isOver()) {
          const wanted = Math.min(left, limits.queueBatch)
          const count = rate?.take(wanted) ?? wanted
          if (count === 0) {
            await waiters.wait(`redrive ${name}`, rate!.waitMs(), signal)
            continue
          }
          const did = await chosen.next(count)
          if (did === 0 && !isFiltered) break
          left -= count
          redriven += did
        }
      }
      return { queue: name, redriven }
    },
  })
}
