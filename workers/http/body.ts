/**
 * Reads the body of a request, as far as it belongs into the payload: JSON is held once and becomes text that is
 * spliced in as it is, a body of type `text/…` becomes a string. Bodies of other types are left alone until there are
 * channels to stream them through.
 */

import { sendableFault } from '../../src/protocol/json/scan.ts'
import { asJsonText, JSON_NULL, type JsonText, quote } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { FailureCode } from './failures.ts'
import type { RequestHeaders } from './headers.ts'

export interface BodyLimits {
  readonly bytes: number
  readonly depth: number
}

/** Either the body as JSON text, or why there is none. */
export type BodyOutcome =
  | { readonly json: JsonText; readonly failure?: undefined; readonly remark?: string }
  | { readonly failure: FailureCode; readonly message: string }

export type BodyKind = 'json' | 'text'

function hasBody({ contentLength, transferEncoding }: RequestHeaders): boolean {
  return transferEncoding !== undefined || (contentLength !== undefined && contentLength !== '0')
}

/** What has to be read before the function can be called; `undefined`: nothing. */
export function bodyKind(headers: RequestHeaders): BodyKind | undefined {
  const { contentType } = headers
  if (contentType === undefined || !hasBody(headers)) return undefined
  if (contentType === 'application/json') return 'json'
  const type = contentType.toLowerCase()
  if (type.includes('application/json')) return 'json'
  return type.startsWith('text/') ? 'text' : undefined
}

/** Why a body that is there is not read; `undefined`: there is none. */
export function unreadBody(headers: RequestHeaders): string | undefined {
  if (!hasBody(headers)) return undefined
  return headers.contentType === undefined
    ? 'the body came without a content-type, so the function gets null; application/json and text/… are delivered'
    : 'the body has a content-type that is not delivered, so the function gets null; application/json and text/… are'
}

/** Room for the bodies of all requests that are in work. */
export interface BodyRoom {
  /** Takes room for more bytes of a request; false: there is none. */
  take(holder: { bodyBytes: number }, bytes: number): boolean
  /** Gives back all the room a request has. */
  leave(holder: { bodyBytes: number }): void
}

export function createBodyRoom(limit: number): BodyRoom {
  let taken = 0
  return {
    take(holder, bytes) {
      if (taken + bytes > limit) return false
      taken += bytes
      holder.bodyBytes += bytes
      return true
    },
    leave(holder) {
      taken -= holder.bodyBytes
      holder.bodyBytes = 0
    },
  }
}

export const NO_ROOM: BodyOutcome = {
  failure: 'OVERLOADED',
  message: 'Too many large bodies are in work; try again later.',
}

export function tooLarge(limit: number): BodyOutcome {
  return { failure: 'PAYLOAD_TOO_LARGE', message: `The request body is larger than ${limit} bytes.` }
}

/** `take` is asked for room before bytes are kept; `done` is told once, never from within. */
export function readBody(
  request: Request,
  kind: BodyKind,
  headers: RequestHeaders,
  bounds: BodyLimits,
  take: (bytes: number) => boolean,
  done: (outcome: BodyOutcome) => void,
): void {
  const bytes =
    headers.transferEncoding === undefined ? request.bytes() : readChunks(request, bounds.bytes, take)
  bytes.then(
    read => done(read instanceof Uint8Array ? toBody(read, kind, bounds.depth) : read),
    () => done(INCOMPLETE),
  )
}

const INCOMPLETE: BodyOutcome = {
  failure: 'INCOMPLETE_BODY',
  message: 'The request body ended before it was complete.',
}

function toBody(bytes: Uint8Array, kind: BodyKind, depth: number): BodyOutcome {
  return kind === 'json' ? toJson(bytes, depth) : { json: quote(lenientUtf8.decode(bytes)) }
}

/** A body that does not say how long it is. */
async function readChunks(
  request: Request,
  limit: number,
  take: (bytes: number) => boolean,
): Promise<Uint8Array | BodyOutcome> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of request.body ?? []) {
    length += chunk.length
    if (length > limit) return tooLarge(limit)
    if (!take(chunk.length)) return NO_ROOM
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Text is read as UTF-8 whatever its charset says; bytes that are none become U+FFFD. */
const lenientUtf8 = new TextDecoder()

/** Fatal: bytes that are not UTF-8 are not JSON. A byte order mark is kept, which is not JSON either. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What is not JSON becomes `null`, as published clients expect. */
const NOT_JSON: BodyOutcome = {
  json: JSON_NULL,
  remark: 'the body is announced as application/json and is not JSON, so the function gets null',
}

function toJson(bytes: Uint8Array, depth: number): BodyOutcome {
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    return NOT_JSON
  }
  const fault = sendableFault(text, limits.jsonDepth - depth)
  if (fault === 'too_deep') {
    return { failure: 'JSON_TOO_DEEP', message: `The JSON body is nested deeper than ${depth} levels.` }
  }
  return fault === undefined ? { json: asJsonText(text) } : NOT_JSON
}
