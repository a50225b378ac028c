/** The link over a WebSocket, JSON framing: a message is a frame. */
import type { Frame, FrameProblem } from '../protocol/frames.ts'
import { encodeJson } from '../protocol/json/encode.ts'
import type { Socket } from './socket.ts'
import { createWays, type SocketLink, type SocketLinkParts } from './socketLink.ts'

export interface JsonLink extends SocketLink<Frame | FrameProblem> {
  readonly framing: 'json'
}

export function createJsonLink(socket: Socket, parts: SocketLinkParts): JsonLink {
  const { outlet, inlet, end, probe, ponged, closed } = createWays<Frame | FrameProblem>(socket, {
    ...parts,
    receiver: () => link.receiver,
    deliver,
  })

  function deliver(message: Frame | FrameProblem): undefined {
    if (message.type === 'problem') link.receiver?.problem(message)
    else link.receiver?.receive(message)
  }

  const link: JsonLink = {
    framing: 'json',
    batch: undefined,
    receiver: undefined,

    send(frame) {
      if (outlet.state === 'open') outlet.send(encodeJson(frame))
    },

    received(message) {
      inlet.received(message)
    },

    backlog: outlet.backlog,
    pause: inlet.pause,
    resume: inlet.resume,
    end: how => end(how),
    blocked: outlet.blocked,
    drained: outlet.drained,
    probe,
    ponged,
    closed,
  }
  return link
}
