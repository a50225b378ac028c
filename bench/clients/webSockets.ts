/**
 * WebSockets by hand: very many of them in one process that does next to nothing for a message. What comes is handed on
 * as bytes; nothing is checked but that frames are whole and unmasked.
 */
import { connect as connectNet, type Socket } from 'node:net'

const FIN_TEXT = 0x81
const MASKED = 0x80
const PING = 0x9
const PONG = 0x8a
const CLOSE = 0x8

export interface OneSocket {
  send(text: string): void
  /** Takes nothing more from the network. */
  stopReading(): void
}

/** A frame of a client; the mask is zero, so that the text stays as it is. */
function maskedFrame(head: number, content: Uint8Array): Uint8Array {
  const long = content.length > 125
  const frame = Buffer.alloc((long ? 4 : 2) + 4 + content.length)
  frame[0] = head
  frame[1] = MASKED | (long ? 126 : content.length)
  if (long) frame.writeUInt16BE(content.length, 2)
  frame.set(content, (long ? 4 : 2) + 4)
  return frame
}

/** Calls `onMessage` for the text of each message, which is overwritten afterwards. */
export function openWebSocket(
  url: string,
  onMessage: (bytes: Buffer, from: number, to: number) => void,
  onEnd: () => void,
): Promise<OneSocket> {
  const { hostname, port } = new URL(url)
  const { promise, resolve, reject } = Promise.withResolvers<OneSocket>()
  let isOpen = false
  let rest: Buffer | undefined
  const socket: Socket = connectNet(Number(port), hostname, () => {
    socket.write(
      `GET / HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    )
  })
  const opened: OneSocket = {
    send: text => void socket.write(maskedFrame(FIN_TEXT, Buffer.from(text))),
    stopReading: () => void socket.pause(),
  }

  /** Takes whole frames; returns where the first one begins that is not whole. */
  function take(bytes: Buffer): number {
    let at = 0
    for (;;) {
      if (bytes.length - at < 2) return at
      let length = bytes[at + 1]!
      let from = at + 2
      if (length === 126) {
        if (bytes.length - at < 4) return at
        length = bytes.readUInt16BE(at + 2)
        from = at + 4
      } else if (length === 127) {
        if (bytes.length - at < 10) return at
        length = Number(bytes.readBigUInt64BE(at + 2))
        from = at + 10
      }
      const to = from + length
      if (to > bytes.length) return at
      const kind = bytes[at]! & 0xf
      if (kind === PING) socket.write(maskedFrame(PONG, bytes.subarray(from, to)))
      else if (kind !== CLOSE) onMessage(bytes, from, to)
      at = to
    }
  }

  socket.on('data', (data: Buffer) => {
    let bytes = rest === undefined ? data : Buffer.concat([rest, data])
    rest = undefined
    if (!isOpen) {
      const end = bytes.indexOf('\r\n\r\n')
      if (end < 0) {
        rest = bytes
        return
      }
      if (!bytes.subarray(0, 12).equals(Buffer.from('HTTP/1.1 101'))) {
        reject(new Error(bytes.subarray(0, end).toString()))
        return
      }
      isOpen = true
      bytes = bytes.subarray(end + 4)
      resolve(opened)
    }
    const taken = take(bytes)
    if (taken < bytes.length) rest = taken === 0 ? bytes : bytes.subarray(taken)
  })
  socket.on('close', onEnd)
  socket.on('error', reject)
  return promise
}
