/**
 * Sends large answers in pieces, each when the client has taken the one before. Whole answers would lie in the server's
 * memory until their clients read them, unseen and without a bound.
 *
 *     open ──client takes a piece──▶ open
 *       │──last piece taken──────▶ over: the answer ends as it should
 *       │──client gone───────────▶ over
 *       └──deadline──────────────▶ over: the connection is cut, the client sees that the answer is not complete
 */
import type { Clock } from '../../src/clock/clock.ts'
import { createDeadlines, type DeadlineNode } from '../../src/clock/deadlines.ts'
import { limits } from '../../src/protocol/limits.ts'

export interface LargeAnswers {
  /** `undefined`: there is no room for so many unread bytes. `route` is named to `cut` if the client does not read. */
  send(request: Request, text: string, init: ResponseInit, route: string): Response | undefined
  /** Bytes that their clients have not taken yet. */
  unreadBytes(): number
}

export interface LargeAnswersParts {
  readonly clock: Clock
  /** All unread bytes together. */
  readonly limitBytes: number
  /** Time in which a client has to take a piece. */
  readonly deadlineMs: number
  /** Told when an answer is given up because its client does not read. */
  readonly cut: (route: string, unreadBytes: number) => void
}

interface Answer extends DeadlineNode {
  readonly bytes: Uint8Array
  readonly route: string
  /** What was handed over. */
  at: number
  over: boolean
  controller: ReadableStreamDefaultController<Uint8Array> | undefined
}

/** How late a deadline may be noticed. */
const RESOLUTION_MS = 100

export function createLargeAnswers({ clock, limitBytes, deadlineMs, cut }: LargeAnswersParts): LargeAnswers {
  let unread = 0
  const deadlines = createDeadlines<Answer>(clock, RESOLUTION_MS, late)

  function finish(answer: Answer): void {
    if (answer.over) return
    answer.over = true
    unread -= answer.bytes.length - answer.at
    deadlines.clear(answer)
  }

  function late(answer: Answer): void {
    const left = answer.bytes.length - answer.at
    finish(answer)
    cut(answer.route, left)
    answer.controller?.error(new Error('the client does not read'))
  }

  function handOver(answer: Answer, controller: ReadableStreamDefaultController<Uint8Array>): void {
    if (answer.over) return
    const { bytes, at } = answer
    const end = Math.min(at + limits.httpPieceBytes, bytes.length)
    answer.at = end
    unread -= end - at
    controller.enqueue(bytes.subarray(at, end))
    if (end < bytes.length) {
      deadlines.set(answer, deadlineMs)
    } else {
      finish(answer)
      controller.close()
    }
  }

  return {
    send(request, text, init, route) {
      const bytes = Buffer.from(text)
      if (unread + bytes.length > limitBytes) return undefined
      // The server sends the head alone and never asks for the body.
      if (request.method === 'HEAD' || request.signal.aborted) return new Response(bytes, init)
      const answer: Answer = {
        bytes,
        route,
        at: 0,
        over: false,
        controller: undefined,
        deadline: 0,
        earlier: undefined,
        later: undefined,
      }
      unread += bytes.length
      deadlines.set(answer, deadlineMs)
      // The stream itself does not hear of a client that goes.
      request.signal.addEventListener('abort', () => finish(answer))
      const stream = new ReadableStream<Uint8Array>(
        {
          start(controller) {
            answer.controller = controller
          },
          pull: controller => handOver(answer, controller),
          cancel: () => finish(answer),
        },
        { highWaterMark: 0 },
      )
      return new Response(stream, init)
    },
    unreadBytes: () => unread,
  }
}
