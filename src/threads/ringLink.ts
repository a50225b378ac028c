/**
 * The link between two threads: a ring each way. What was sent in a turn leaves as one record that holds all its frames,
 * in the msgpack framing.
 *
 *     open ──end orderly──▶ ending ──everything has left──▶ ended
 *       └──cut, the far side has ended─────────────────────▶ ended
 *
 * Records with other tags are notes of the threads to each other, which keep their place among the frames, and whatever
 * else they exchange.
 */
import type { Clock } from '../clock/clock.ts'
import type { Frame } from '../protocol/frames.ts'
import { limits as defaultLimits, type Limits } from '../protocol/limits.ts'
import type { Link, LinkEnd, LinkReceiver } from '../protocol/link.ts'
import { decodeMsgpack } from '../protocol/msgpack/decode.ts'
import { encodeMsgpack } from '../protocol/msgpack/encode.ts'
import { writeFanOut } from '../protocol/msgpack/fanOut.ts'
import { CODEC_CHECKED, HOLD_BACK, LET_GO, SPEAKER } from '../protocol/msgpack/layout.ts'
import { clear, createOutBuffer } from '../protocol/msgpack/outBuffer.ts'
import { createFrameReader, nextFrame, openMessage } from '../protocol/msgpack/reader.ts'
import { writeArrayHead, writeInteger, writeNil, writeText } from '../protocol/msgpack/writeValue.ts'
import type { Turn } from '../server/turn.ts'
import { appendRecord, forEachRecord } from './recordBatch.ts'
import { listenToRing } from './ringListener.ts'
import { openRingMemory } from './ringMemory.ts'
import { createRingSender } from './ringSender.ts'

const FRAMES = 1
const END = 2
const NOTE = 3
/** A note that is too large for a record begins, or goes on; its last part is a `NOTE`. */
const NOTE_PART = 4
const RECORDS = 5

/** Not empty: what is parked counts by its bytes. */
const END_CONTENT = new Uint8Array(1)

/** A record leaves before the end of the turn when it has become this large: the far side can begin. */
const EARLY_BYTES = 256 * 1024

/** A larger record is worth a place of its own in the ring; it is not copied twice then. */
const ALONE_BYTES = 32 * 1024

/** Frames that may be added without asking whether there is room in the record. */
const MOST_AT_ONCE = 1024

export interface RingLink extends Link {
  /** Says who gets what comes in; what came earlier is delivered then. */
  listen(receiver: LinkReceiver, others?: OtherRecords): void
  /**
   * Sends a record of a tag from 2^28 on, which means nothing to the link; a text goes as UTF-8. It leaves at the end of
   * the turn at the latest, with others and in order among them, but not among frames and notes.
   */
  record(tag: number, content: string | Uint8Array): void
  /**
   * Sends a note; what was sent before comes before it. `entered`: the far side finds it when it looks into its ring; now
   * or later, never if the link ends before.
   */
  note(bytes: Uint8Array, entered?: () => void): void
  /** Wake-ups that the platform lost at this end, of both rings. */
  missedWakeUps(): number
  /** Takes now what has come. */
  catchUp(): void
  /** Frees the rings: at once, without a word to the far side, which is no more. */
  drop(): void
}

/** Who takes what is not frames. */
export interface OtherRecords {
  note(bytes: Uint8Array): void
  /** The bytes are overwritten after this call. */
  record?(tag: number, bytes: Uint8Array, start: number, end: number): void
  /** A record cannot be read, so nothing behind it can be trusted. Without this, the thread throws. */
  broken?(error: Error): void
  /** Some records have come together; their bytes are there until this returns. */
  recordsEnd?(): void
}

export interface RingLinkParts {
  readonly incoming: SharedArrayBuffer
  readonly outgoing: SharedArrayBuffer
  readonly clock: Clock
  readonly turn: Turn
  readonly limits?: Limits
  /** Runs a task after the event loop had its turn. */
  readonly later?: (task: () => void) => void
}

/** Something that came and waits for `resume`. */
interface Held {
  readonly tag: number
  readonly bytes: Uint8Array
}

export function createRingLink(parts: RingLinkParts): RingLink {
  const { clock, turn, limits = defaultLimits, later = task => void setImmediate(task) } = parts
  const out = createOutBuffer()
  const records = createOutBuffer()
  const reader = createFrameReader(CODEC_CHECKED)
  const sender = createRingSender(openRingMemory(parts.outgoing), clock, progressed)
  let framesInOut = 0
  let speaker: string | undefined
  let speakerIsNamed = false
  let flushing = false
  let wasFull = false
  let state: 'open' | 'ending' | 'ended' = 'open'
  let paused = false
  let held: Held[] = []
  let receiver: LinkReceiver | undefined
  let others: OtherRecords | undefined
  let toldOfEnd = false
  /** Parts of a note whose last one has not come. */
  let noteParts: Uint8Array[] = []

  function backlog(): number {
    return state === 'ended' ? 0 : out.length + records.length + sender.backlog()
  }

  function flush(): void {
    flushing = false
    flushOut()
    flushRecords()
    progressed()
  }

  function flushOut(): void {
    framesInOut = 0
    speakerIsNamed = false
    if (out.length === 0) return
    sender.send(FRAMES, out.bytes, 0, out.length)
    clear(out)
  }

  function flushRecords(): void {
    if (records.length === 0) return
    sender.send(RECORDS, records.bytes, 0, records.length)
    clear(records)
  }

  function noteFull(): void {
    if (backlog() >= limits.outboundHighWaterBytes) wasFull = true
  }

  function flushSoon(): void {
    if (flushing) return
    flushing = true
    turn.atEnd(flush)
  }

  function appended(frames = 1): void {
    framesInOut += frames
    noteFull()
    if (out.length >= EARLY_BYTES || framesInOut >= limits.framesPerMessage - 2 * MOST_AT_ONCE) flushOut()
    flushSoon()
  }

  /** Some of what was sent has left. */
  function progressed(): void {
    if (state === 'ended') {
      if (sender.backlog() === 0) sender.stop()
    } else if (state === 'ending' && backlog() === 0) {
      finish()
    } else if (state === 'open' && wasFull && backlog() < limits.drainedBytes) {
      wasFull = false
      receiver?.drained()
    }
  }

  function speakFor(workerId: string | undefined): void {
    if (speakerIsNamed && speaker === workerId) return
    speakerIsNamed = true
    speaker = workerId
    writeArrayHead(out, 2)
    writeInteger(out, SPEAKER)
    if (workerId === undefined) writeNil(out)
    else writeText(out, workerId)
    framesInOut++
  }

  function onRecord(tag: number, bytes: Uint8Array, start: number, end: number): void {
    if (state === 'ended') return
    if (paused || receiver === undefined || held.length > 0)
      held.push({ tag, bytes: bytes.slice(start, end) })
    else take(tag, bytes, start, end)
  }

  function take(tag: number, bytes: Uint8Array, start: number, end: number): void {
    if (tag === FRAMES) takeFrames(bytes, start, end)
    else if (tag === NOTE) takeNote(bytes.slice(start, end))
    else if (tag === NOTE_PART) noteParts.push(bytes.slice(start, end))
    else if (tag === END) finish()
    else takeRecords(tag, bytes, start, end)
  }

  function takeRecords(tag: number, bytes: Uint8Array, start: number, end: number): void {
    if (tag === RECORDS) forEachRecord(bytes, start, end, takeRecord)
    else takeRecord(tag, bytes, start, end)
    others?.recordsEnd?.()
  }

  function takeRecord(tag: number, bytes: Uint8Array, start: number, end: number): void {
    if (state !== 'ended') others?.record?.(tag, bytes, start, end)
  }

  function takeNote(last: Uint8Array): void {
    const note = noteParts.length === 0 ? last : Buffer.concat([...noteParts, last])
    noteParts = []
    others?.note(note)
  }

  function takeFrames(bytes: Uint8Array, start: number, end: number): void {
    openMessage(reader, bytes, start, end)
    if (receiver?.receiveBatch !== undefined) receiver.receiveBatch(reader)
    else takeOneByOne()
    if (reader.fault !== undefined) {
      breakOff(new Error(`A record of another thread is broken: ${reader.fault.detail}`))
      return
    }
    const isOver = (state as string) === 'ended'
    if (reader.end < end && !isOver) held.push({ tag: FRAMES, bytes: bytes.slice(reader.end, end) })
  }

  /** Reads no further. Thrown by itself: whoever looks into the ring from within a frame is not to blame. */
  function breakOff(error: Error): void {
    state = 'ended'
    held = []
    listener.stop()
    later(() => {
      if (others?.broken === undefined) throw error
      others.broken(error)
    })
  }

  function takeOneByOne(): void {
    while (!paused && state !== 'ended' && nextFrame(reader)) {
      const frame = decodeMsgpack(reader, 'json')
      if (frame.type === 'problem') receiver?.problem(frame)
      else receiver?.receive(frame)
    }
  }

  function deliverHeld(): void {
    if (paused || receiver === undefined) return
    const waiting = held
    held = []
    for (let next = 0; next < waiting.length; next++) {
      const { tag, bytes } = waiting[next]!
      try {
        take(tag, bytes, 0, bytes.length)
      } catch (error) {
        held.push(...waiting.slice(next + 1))
        later(deliverHeld)
        throw error
      }
      if ((state as string) === 'ended') return
      // Whatever is left of this one is the first to wait again.
      if (paused || held.length > 0) {
        held.push(...waiting.slice(next + 1))
        return
      }
    }
    listener.resume()
  }

  /** Ends this side. What it has sent goes on leaving; the far side hears of the end behind it. */
  function finish(): void {
    if (state === 'ended') return
    if (state === 'open') sender.send(END, END_CONTENT, 0, END_CONTENT.length)
    state = 'ended'
    held = []
    clear(out)
    clear(records)
    listener.stop()
    if (sender.backlog() === 0) sender.stop()
    later(() => {
      if (toldOfEnd) return
      toldOfEnd = true
      receiver?.ended()
    })
  }

  const listener = listenToRing(openRingMemory(parts.incoming), {
    onRecord,
    afterBatch: () => turn.end(),
    clock,
    later,
  })

  return {
    framing: 'msgpack',
    batch: { out, appended, mostAtOnce: MOST_AT_ONCE, speakFor },

    listen(next, rest) {
      receiver = next
      others = rest
      if (held.length > 0) later(deliverHeld)
    },

    send(frame: Frame) {
      if (state !== 'open') return
      if (frame.type === 'invokefunction') {
        speakFor(frame.caller)
        frame.caller = undefined
      }
      encodeMsgpack(out, frame, CODEC_CHECKED)
      appended()
    },

    fanOut(frame) {
      if (state !== 'open') return
      writeFanOut(out, frame)
      appended()
    },

    holdBack(workerId, isHeld) {
      if (state !== 'open') return
      writeArrayHead(out, 2)
      writeInteger(out, isHeld ? HOLD_BACK : LET_GO)
      writeText(out, workerId)
      appended()
    },

    note(bytes, entered) {
      if (state !== 'open') return
      flushOut()
      let at = 0
      for (; bytes.length - at > limits.ringRecordBytes; at += limits.ringRecordBytes) {
        sender.send(NOTE_PART, bytes, at, at + limits.ringRecordBytes)
      }
      sender.send(NOTE, bytes, at, bytes.length, entered)
      noteFull()
    },

    record(tag, content) {
      if (state !== 'open') return
      if (typeof content !== 'string' && content.length >= ALONE_BYTES) {
        flushRecords()
        sender.send(tag, content, 0, content.length)
        noteFull()
        return
      }
      appendRecord(records, tag, content)
      if (records.length >= EARLY_BYTES) flushRecords()
      noteFull()
      flushSoon()
    },

    backlog,

    pause() {
      if (paused || state === 'ended') return
      paused = true
      listener.pause()
    },

    resume() {
      if (!paused) return
      paused = false
      if (state !== 'ended') later(deliverHeld)
    },

    end(how: LinkEnd) {
      if (state === 'ended') return
      if (how === 'cut') {
        finish()
        return
      }
      if (state === 'ending') return
      flushOut()
      flushRecords()
      sender.send(END, END_CONTENT, 0, END_CONTENT.length)
      state = 'ending'
      later(progressed)
    },

    missedWakeUps: () => sender.missedWakeUps() + listener.missedWakeUps(),

    catchUp: listener.catchUp,

    drop() {
      state = 'ended'
      toldOfEnd = true
      held = []
      listener.stop()
      sender.stop()
    },
  }
}
