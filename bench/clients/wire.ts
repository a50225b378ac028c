/**
 * The worker protocol in JSON text, written and read by hand: no SDK, so that the engine is what is measured.
 * Payloads are fixed, so that every contestant carries the same bytes.
 */

import { connectOn, threadIn } from './placed.ts'

/** 185 bytes, the size of a small order. */
export const REQUEST =
  '{"order":"A-1029","user":{"id":7,"name":"Ada"},"items":[{"sku":"x","qty":2},{"sku":"y","qty":1}],"note":"at the back door, please; ring twice, the bell is quiet and we are far from it"}'
export const ANSWER_BODY = '{"ok":true,"name":"echo","items":[1,2,3,4]}'
/** What the answering function returns; the same as an HTTP answer envelope, so that one function serves both. */
export const RESULT = `{"status_code":200,"body":${ANSWER_BODY}}`

export function connect(url: string): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url)
    socket.onopen = () => resolve(socket)
    socket.onerror = () => reject(new Error(`no connection to ${url}`))
  })
}

/** A connection that has announced itself, on a thread of the engine; wherever it is if none is said. */
export async function connectAnnounced(url: string, name: string, thread?: number): Promise<WebSocket> {
  const { socket } = await connectOn(thread, async () => {
    const socket = await connect(url)
    announce(socket, name)
    return { socket, thread: () => threadOf(socket), close: () => socket.close() }
  })
  return socket
}

function threadOf(socket: WebSocket): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>()
  socket.onclose = () => resolve(undefined)
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(data as string)
    if (frame.type === 'workerregistered') {
      const id = idPrefix(0xffff_fffe) + idSuffix(0, 0)
      const data = { id: frame.worker_id }
      socket.send(
        JSON.stringify({
          type: 'invokefunction',
          invocation_id: id,
          function_id: 'engine::workers::info',
          data,
        }),
      )
    } else if (frame.type === 'invocationresult') {
      socket.onclose = null
      resolve(threadIn(frame.result))
    }
  }
  return promise
}

/** Fixes the connection's namespace at once; otherwise the engine waits for this. */
export function announce(socket: WebSocket, name: string): void {
  const data = { name, runtime: 'bench', version: '0', os: process.platform, pid: process.pid }
  const call = {
    type: 'invokefunction',
    function_id: 'engine::workers::register',
    data,
    action: { type: 'void' },
  }
  socket.send(JSON.stringify(call))
}

/** Where the value of a string field begins; -1 if the frame has no such field. */
function startOf(frame: string, field: string): number {
  const at = frame.indexOf(field)
  return at < 0 ? -1 : at + field.length
}

const INVOCATION_ID = '"invocation_id":"'
const FUNCTION_ID = '"function_id":"'
const UUID_LENGTH = 36

export function invocationIdOf(frame: string): string {
  const start = startOf(frame, INVOCATION_ID)
  return frame.slice(start, start + UUID_LENGTH)
}

export function functionIdOf(frame: string): string {
  const start = startOf(frame, FUNCTION_ID)
  return frame.slice(start, frame.indexOf('"', start))
}

/**
 * Call ids are UUIDs that hold the number of the call and its place among those in flight, so that an answer finds its
 * call without a table: `<connection>-0000-4000-8000-<call, 9 digits><place, 3 digits>`, hexadecimal.
 */
export const MOST_PLACES = 0x1000

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')

export const idPrefix = (connection: number): string => `${hex(connection, 8)}-0000-4000-8000-`

export const idSuffix = (call: number, place: number): string => hex(call, 9) + hex(place, 3)

/** The last 12 digits of the frame's invocation id as one number; NaN if there is none. */
export function suffixOf(frame: string): number {
  const start = startOf(frame, INVOCATION_ID)
  return start < 0 ? Number.NaN : Number.parseInt(frame.slice(start + 24, start + UUID_LENGTH), 16)
}

export const placeOf = (suffix: number): number => suffix % MOST_PLACES
export const callOf = (suffix: number): number => Math.floor(suffix / MOST_PLACES)
