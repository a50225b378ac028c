/** Functions about how far a message is and what became of it: `queue::result`, `queue::progress`. */
import { HandlerError } from '../../../sdk/typescript/src/errors.ts'
import { RawJson } from '../../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../../src/clock/clock.ts'
import { asJsonText, type JsonText, quote } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import type { Message } from '../../../src/storage/queue/message.ts'
import { required, text, value, whole } from '../../fields.ts'
import type { Waiters } from '../../waiters.ts'
import type { Found, QueueBackend } from '../backend.ts'
import { type KeptResult, keepsResult } from '../keptResult.ts'
import { progressMembers, reportText } from '../messageRow.ts'
import type { ProgressOfMessages } from '../progress.ts'
import { lost, tokenOf } from './leases.ts'
import { requireName } from './publish.ts'
import type { Register } from './register.ts'

export interface ResultParts {
  readonly backend: QueueBackend
  readonly clock: Clock
  readonly wallClock: () => number
  readonly progress: ProgressOfMessages
  /** Woken by the receipt of a message that is dead or gone. */
  readonly waiters: Waiters
}

const notFound = (receipt: string): HandlerError =>
  new HandlerError(
    'NOT_FOUND',
    keepsResult(receipt)
      ? `Message '${receipt}' has no result: it was removed, its result is kept no longer, or it was never there`
      : `Message '${receipt.slice(0, 100)}' is done, or was never there, and its result was not asked for: push it with \`result: true\``,
  )

export function registerResults(register: Register, parts: ResultParts): void {
  const { backend, clock, wallClock, progress, waiters } = parts

  register({
    id: 'queue::result',
    description: 'What the handler of a message has returned, if it was pushed with `result: true`',
    fields: {
      message_id: text('its receipt'),
      id: text('the same as `message_id`'),
      wait_ms: whole('so long for its end', 0, limits.queueWaitMs),
    },
    failure: 'result_failed',
    async run({ message_id, id, wait_ms = 0 }, { signal }, refuse) {
      const receipt = message_id ?? id ?? refuse('missing field `message_id`')
      requireName(receipt, 'message_id_not_set', 'Message ID is required')
      const untilMs = clock.now() + wait_ms
      for (;;) {
        const leftMs = untilMs - clock.now()
        const looked = new AbortController()
        // Whoever looks waits already: nothing that happens meanwhile is missed.
        const woken =
          leftMs > 0 ? waiters.wait(receipt, leftMs, AbortSignal.any([signal, looked.signal])) : undefined
        woken?.catch(() => {})
        try {
          const answer = await look(receipt, woken === undefined || signal.aborted)
          if (answer !== undefined) return new RawJson(answer)
          await woken
        } finally {
          looked.abort()
        }
      }
    },
  })

  /** `undefined`: it has not ended, and that is no answer unless `isLast`. */
  async function look(receipt: string, isLast: boolean): Promise<JsonText | undefined> {
    // In this order: it may end between.
    const found = await backend.find(receipt)
    if (found === undefined) {
      const kept = await backend.result(receipt)
      if (kept === undefined) throw notFound(receipt)
      return doneText(receipt, kept)
    }
    if (found.message.deadAtMs !== undefined) return deadText(receipt, found.message)
    return isLast ? waitingText(receipt, found) : undefined
  }

  function waitingText(receipt: string, { message, reason }: Found): JsonText {
    const said = progressMembers(progress.of(message.number))
    return asJsonText(`{"message_id":${quote(receipt)},"state":"waiting","reason":"${reason}"${said}}`)
  }

  register({
    id: 'queue::progress',
    description: 'Says how far the handler of a message is; kept in memory, and shown by `queue::message`',
    fields: {
      lease_id: required(text('as it was given with the message')),
      message_id: text('of the message'),
      id: text('the same as `message_id`'),
      progress: required(value('any value')),
    },
    failure: 'progress_failed',
    run({ lease_id, message_id, id, progress: said }, _, refuse) {
      const bytes = Buffer.byteLength(said)
      if (bytes > limits.queueProgressBytes)
        refuse(`field \`progress\` has ${bytes} bytes, the most are ${limits.queueProgressBytes}`)
      const token = tokenOf(backend, { id: message_id ?? id, lease_id })
      const lease = backend.lease(token)
      if (lease === undefined) throw lost()
      progress.set(lease.message.number, { value: said, atMs: Math.floor(wallClock()) })
      return { ok: true }
    },
  })
}

function doneText(receipt: string, { result, bytes, endedAtMs, keptUntilMs }: KeptResult): JsonText {
  const until = keptUntilMs === undefined ? '' : `,"kept_until":${keptUntilMs}`
  const said =
    result === undefined
      ? `"error":{"code":"RESULT_TOO_LARGE","message":"The result has ${bytes} bytes, and ${limits.queueResultBytes} are kept at most. Keep it elsewhere, and return its name."}`
      : `"result":${result}`
  return asJsonText(`{"message_id":${quote(receipt)},"state":"done",${said},"ended_at":${endedAtMs}${until}}`)
}

function deadText(receipt: string, { reports, failures, deadAtMs }: Message): JsonText {
  const last = reports.at(-1)
  const error = last === undefined ? 'null' : reportText(last)
  return asJsonText(
    `{"message_id":${quote(receipt)},"state":"dead","error":${error},"attempts":${failures},"ended_at":${deadAtMs}}`,
  )
}
