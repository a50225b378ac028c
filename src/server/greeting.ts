/**
 * The beginning of a connection that speaks msgpack (`docs/protocol/msgpack.md#hello`): both sides say hello at once,
 * and with the worker's the engine takes the connection in.
 *
 *     open ──hello──▶ connected
 *       │ another frame, a hello that cannot be used, or none in time
 *       └──▶ closed with the reason
 */
import type { Clock } from '../clock/clock.ts'
import type { Connected } from '../engine/engine.ts'
import type { Limits } from '../protocol/limits.ts'
import type { Fault } from '../protocol/msgpack/faults.ts'
import {
  type Agreement,
  agree,
  capabilities,
  type Hello,
  ownHello,
  readHello,
  writeHello,
} from '../protocol/msgpack/hello.ts'
import { type FrameReader, nextFrame } from '../protocol/msgpack/reader.ts'
import { createMsgpackLink, type MsgpackLink, type MsgpackLinkParts } from './msgpackLink.ts'
import type { Socket } from './socket.ts'

export interface GreetingParts extends Omit<MsgpackLinkParts, 'takes' | 'read'> {
  readonly clock: Clock
  readonly limits: Limits
  /** The worker has said hello: the engine takes it in. */
  readonly connect: (link: MsgpackLink, agreement: Agreement) => Connected
}

const AGENT = 'iii'

function helloOf({ messageBytes, framesPerMessage, callsInFlight }: Limits): Hello {
  const limits = { messageBytes, framesPerMessage, callsInFlight }
  return { ...ownHello(AGENT, capabilities), limits }
}

/** What both have in common, or why there can be no connection. */
function agreementOf(own: Hello, reader: FrameReader, { leastMessageBytes }: Limits): Agreement | Fault {
  const theirs = readHello(reader)
  if ('reason' in theirs) return theirs
  if (theirs.limits.messageBytes < leastMessageBytes) {
    const detail = `limits.message_bytes must be at least ${leastMessageBytes}`
    return { reason: 'invalid_hello', detail }
  }
  return agree(own, theirs)
}

export function greet(socket: Socket, parts: GreetingParts): MsgpackLink {
  const { clock, limits, connect } = parts
  const own = helloOf(limits)

  function read(reader: FrameReader): void {
    if (link.receiver === undefined) {
      if (!nextFrame(reader)) return
      const agreement = agreementOf(own, reader, limits)
      if ('reason' in agreement) {
        reader.fault = agreement
        return
      }
      cancelPatience()
      link.takes = agreement.limits
      link.receiver = connect(link, agreement).receiver
    }
    link.receiver.receiveBatch!(reader)
  }

  const link = createMsgpackLink(socket, { ...parts, takes: own.limits, read })
  const cancelPatience = clock.after(limits.helloMs, () => {
    link.fail({ reason: 'hello_expected', detail: `no hello came within ${limits.helloMs} ms` })
  })
  writeHello(link.out, own)
  link.batch.appended()
  const { closed } = link
  link.closed = () => {
    cancelPatience()
    closed()
  }
  return link
}
