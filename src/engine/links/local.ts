/**
 * The link between the engine and a worker on the same thread: two queues and no copy.
 *
 * A frame sent on one side is delivered to the other in a microtask, never from within `send`, so that neither
 * side is ever entered twice. A long exchange gives way to the event loop from time to time.
 */
import type { FanOutFrame, Frame } from '../../protocol/frames.ts'
import { JSON_NULL } from '../../protocol/jsonText.ts'
import { limits as defaultLimits, type Limits } from '../../protocol/limits.ts'
import type { Link, LinkEnd, LinkReceiver } from '../../protocol/link.ts'
import { payloadSize } from '../../protocol/msgpack/payload.ts'

export interface LocalSide extends Link {
  /** Says who gets what comes in; frames that came earlier are delivered then. */
  listen(receiver: LinkReceiver): void
  readonly fanOut: (frame: FanOutFrame) => void
  /** So many more calls from the far side wait for something to happen; negative: fewer. */
  wait(more: number): void
}

/** When deliveries run: `soon` after the current task, `later` after the event loop had its turn. */
export interface Scheduler {
  soon(task: () => void): void
  later(task: () => void): void
}

const threadScheduler: Scheduler = { soon: queueMicrotask, later: task => void setImmediate(task) }

/** Frames delivered in a row before the event loop gets a turn. */
const DELIVERED_IN_A_ROW = 512

function sizeOf(frame: Frame | FanOutFrame): number {
  if (frame.type === 'invokefunction') return 200 + payloadSize(frame.data)
  if (frame.type === 'invocationresult') return 200 + payloadSize(frame.error ?? frame.result ?? JSON_NULL)
  return frame.type === 'fanout' ? 200 * frame.targets.length + frame.data.length : 200
}

interface Side {
  inbox: (Frame | FanOutFrame)[]
  /** Index of the next frame to deliver. */
  head: number
  bytes: number
  receiver: LinkReceiver | undefined
  paused: boolean
  scheduled: boolean
  /** The far side has ended the link; told after the last frame. */
  ending: boolean
  ended: boolean
  /** The far side's backlog rose above the high-water mark and it waits for `drained`. */
  full: boolean
  /** Calls it was sent that wait for something to happen. */
  waiting: number
}

function createSide(): Side {
  return {
    inbox: [],
    head: 0,
    bytes: 0,
    receiver: undefined,
    paused: false,
    scheduled: false,
    ending: false,
    ended: false,
    full: false,
    waiting: 0,
  }
}

/** Makes a link; each side sends to the other. */
export function createLocalLink(
  limits: Pick<Limits, 'outboundHighWaterBytes' | 'drainedBytes'> = defaultLimits,
  scheduler: Scheduler = threadScheduler,
): [LocalSide, LocalSide] {
  const left = createSide()
  const right = createSide()

  function schedule(side: Side, far: Side): void {
    if (side.scheduled || side.paused || side.ended || side.receiver === undefined) return
    side.scheduled = true
    scheduler.soon(() => deliver(side, far))
  }

  function deliver(side: Side, far: Side): void {
    side.scheduled = false
    for (let count = 0; side.head < side.inbox.length; count++) {
      if (side.paused || side.ended) return
      if (count === DELIVERED_IN_A_ROW) {
        // Under steady load the inbox is never empty; what was delivered must not stay in it.
        side.inbox.splice(0, side.head)
        side.head = 0
        side.scheduled = true
        scheduler.later(() => deliver(side, far))
        return
      }
      const frame = side.inbox[side.head++]!
      side.bytes -= sizeOf(frame)
      if (frame.type === 'fanout') side.receiver!.receiveFanOut?.(frame)
      else side.receiver!.receive(frame)
      if (side.full && side.bytes < limits.drainedBytes) {
        side.full = false
        far.receiver?.drained()
      }
    }
    side.inbox = []
    side.head = 0
    if (side.ending) finish(side)
  }

  function empty(side: Side): void {
    side.inbox = []
    side.head = 0
    side.bytes = 0
  }

  function finish(side: Side): void {
    if (side.ended) return
    side.ended = true
    empty(side)
    side.receiver?.ended()
  }

  function endpoint(own: Side, far: Side): LocalSide {
    function send(frame: Frame | FanOutFrame): void {
      if (own.ended || far.ended || far.ending) return
      far.inbox.push(frame)
      far.bytes += sizeOf(frame)
      if (far.bytes >= limits.outboundHighWaterBytes) far.full = true
      schedule(far, own)
    }

    return {
      framing: 'json',
      passesFrames: true,
      batch: undefined,
      listen(receiver) {
        own.receiver = receiver
        if (own.inbox.length > 0 || own.ending) schedule(own, far)
      },
      send,
      fanOut: send,
      wait(more) {
        own.waiting += more
      },
      waiting: () => far.waiting,
      backlog: () => far.bytes,
      pause() {
        own.paused = true
      },
      resume() {
        if (!own.paused) return
        own.paused = false
        if (own.inbox.length > own.head || own.ending) schedule(own, far)
      },
      end(how: LinkEnd) {
        if (own.ended || far.ending) return
        far.ending = true
        if (how === 'cut') {
          empty(far)
          far.paused = false
        }
        schedule(far, own)
        own.ended = true
        empty(own)
        scheduler.soon(() => own.receiver?.ended())
      },
    }
  }

  return [endpoint(left, right), endpoint(right, left)]
}
