/**
 * A puppet's link in msgpack: what a test says and hears stays the JSON message that its framing would have, and
 * between the two it is bytes. Call ids are UUIDs for the test and integers for the engine.
 */
import type { Engine } from '../../src/engine/engine.ts'
import type { CallId, Frame, InvokeFrame } from '../../src/protocol/frames.ts'
import type { JsonText } from '../../src/protocol/jsonText.ts'
import type { LinkReceiver } from '../../src/protocol/link.ts'
import { decodeMsgpack } from '../../src/protocol/msgpack/decode.ts'
import { encodeMsgpack } from '../../src/protocol/msgpack/encode.ts'
import { clear, createOutBuffer } from '../../src/protocol/msgpack/outBuffer.ts'
import { createFrameReader, nextFrame, openMessage } from '../../src/protocol/msgpack/reader.ts'
import { callerSuffix, withCaller, withoutCaller } from '../../src/protocol/payload.ts'
import { createRecordingLink, type RecordingLink } from './fakes.ts'

export interface MsgpackEnd {
  readonly link: RecordingLink
  /** Hands a frame, as the JSON framing has it, to the engine. */
  say(receiver: LinkReceiver, frame: Frame): void
  /** Its worker id, once it is known. */
  workerId: string
}

/** Calls of all puppets of a world: the UUID a test gave each, by who made it under which integer. */
export type CallNames = Map<string, string>

export function createMsgpackEnd(names: CallNames, engine: Engine, newId: () => string): MsgpackEnd {
  const recording = createRecordingLink()
  const out = createOutBuffer()
  const reader = createFrameReader()
  const made = new Map<number, InvokeFrame>()
  const numbers = new Map<CallId, number>()
  const executing = new Map<CallId, number>()
  const executingNames = new Map<number, string>()
  /** Calls that came without an id, by the one the test sees: no answer to them can be sent. */
  const voids = new Set<CallId>()
  let last = 65_535

  function number(id: CallId | undefined): number | undefined {
    if (id === undefined) return undefined
    const known = numbers.get(id)
    if (known !== undefined) return known
    numbers.set(id, ++last)
    names.set(`${end.workerId} ${last}`, String(id))
    return last
  }

  /** The UUID of a call that comes in: its caller's own, as far as that is known. */
  function nameOf(id: number): string {
    const invocation = engine.state.connections.get(end.workerId)?.executing.get(id)
    const key = invocation && `${invocation.caller.id} ${invocation.callerInvocationId}`
    const own = typeof invocation?.callerInvocationId === 'string' ? invocation.callerInvocationId : undefined
    let name = own ?? names.get(key ?? '') ?? newId()
    while (executing.has(name)) name = newId()
    executing.set(name, id)
    executingNames.set(id, name)
    return name
  }

  function take(): void {
    openMessage(reader, out.bytes.slice(0, out.length), 0, out.length)
    clear(out)
    while (nextFrame(reader)) {
      const frame = decodeMsgpack(reader, 'json')
      if (frame.type === 'problem') throw new Error(frame.detail)
      recording.send(asInJson(frame))
    }
    if (reader.fault !== undefined) throw new Error(reader.fault.detail)
  }

  function asInJson(frame: Frame): Frame {
    if (frame.type === 'invokefunction') {
      const data = frame.data as JsonText
      const named = frame.caller === undefined ? data : withCaller(data, callerSuffix(frame.caller))
      const isVoid = frame.invocationId === undefined
      const invocationId = isVoid ? newId() : nameOf(frame.invocationId as number)
      if (isVoid) voids.add(invocationId)
      const input = frame.caller === undefined ? withoutCaller(data) : named
      return { ...frame, action: 'plain', invocationId, data: input, caller: undefined }
    }
    if (frame.type === 'invocationresult') {
      const id = frame.invocationId as number
      const call = made.get(id)
      const { functionId = '', traceparent, baggage } = call ?? {}
      return { ...frame, invocationId: names.get(`${end.workerId} ${id}`)!, functionId, traceparent, baggage }
    }
    if (frame.type === 'cancelinvocation') {
      return { ...frame, invocationId: executingNames.get(frame.invocationId as number)! }
    }
    return frame
  }

  function inMsgpack(frame: Frame): Frame {
    if (frame.type === 'invokefunction') {
      const invocationId = number(frame.invocationId) as number
      if (frame.invocationId !== undefined) made.set(invocationId, frame)
      return { ...frame, invocationId }
    }
    if (frame.type === 'cancelinvocation') return { ...frame, invocationId: number(frame.invocationId)! }
    if (frame.type === 'invocationresult') {
      const id = executing.get(frame.invocationId)
      // An answer to nothing it was asked.
      return { ...frame, invocationId: id ?? 0x7fff_ffff }
    }
    return frame
  }

  const link: RecordingLink = Object.defineProperties(
    {
      framing: 'msgpack',
      batch: { out, appended: take, speakFor: undefined, mostAtOnce: 64 },
      send(frame: Frame) {
        encodeMsgpack(out, frame)
        take()
      },
    },
    Object.fromEntries(
      (['unreadBytes', 'backlog', 'pause', 'resume', 'end', 'take', 'isPaused', 'ended'] as const).map(
        name => [
          name,
          {
            enumerable: true,
            get: () =>
              typeof recording[name] === 'function'
                ? (recording[name] as () => void).bind(recording)
                : recording[name],
            set: (value: never) => {
              ;(recording as unknown as Record<string, unknown>)[name] = value
            },
          },
        ],
      ),
    ),
  ) as unknown as RecordingLink

  const end: MsgpackEnd = {
    link,
    workerId: '',
    say(receiver, frame) {
      if (frame.type === 'invocationresult' && voids.has(frame.invocationId)) return
      const message = createOutBuffer()
      encodeMsgpack(message, inMsgpack(frame))
      const said = createFrameReader()
      openMessage(said, message.bytes, 0, message.length)
      receiver.receiveBatch!(said)
      if (said.fault !== undefined) throw new Error(said.fault.detail)
    },
  }
  return end
}
