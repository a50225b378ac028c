/**
 * Reads the headers of a request in one pass: the text that goes into the payload, and what the http worker itself
 * has to know.
 *
 * The server hands repeated headers over joined (`1, 2`), which says the same (RFC 9110 5.3), and values as one
 * character per byte.
 */
import { withoutDepth } from '../../src/delivery/depth.ts'
import { quote } from '../../src/protocol/jsonText.ts'

export interface RequestHeaders {
  /** Members of `headers`, as JSON text without the braces. */
  readonly text: string
  /** Members of `headers_multi`: headers that are lists, taken apart. */
  readonly multi: string
  readonly count: number
  /** Names and values together. */
  readonly bytes: number
  readonly host: string | undefined
  readonly contentType: string | undefined
  readonly contentLength: string | undefined
  readonly transferEncoding: string | undefined
  readonly origin: string | undefined
  /** `access-control-request-method`: with `origin` it makes an OPTIONS request a preflight. */
  readonly preflightMethod: string | undefined
  readonly traceparent: string | undefined
  /** As it goes on with the call. */
  readonly baggage: string | undefined
}

type Mutable<T> = { -readonly [key in keyof T]: T[key] }

function empty(): Mutable<RequestHeaders> {
  return {
    text: '',
    multi: '',
    count: 0,
    bytes: 0,
    host: undefined,
    contentType: undefined,
    contentLength: undefined,
    transferEncoding: undefined,
    origin: undefined,
    preflightMethod: undefined,
    traceparent: undefined,
    baggage: undefined,
  }
}

/** Filled by the pass under way, which is synchronous. One function for all requests: a closure each would cost. */
let reading = empty()

const UNUSUAL = /["\\\x00-\x1f\x7f-\uffff]/
/** The same and the comma: a value without any of these is one value that stands for itself. */
const UNUSUAL_OR_LIST = /[",\\\x00-\x1f\x7f-\uffff]/
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A value that is not UTF-8 becomes `""`. */
function quoteValue(value: string): string {
  if (!UNUSUAL.test(value)) return `"${value}"`
  try {
    return quote(utf8.decode(Buffer.from(value, 'latin1')))
  } catch {
    return '""'
  }
}

function readHeader(value: string, name: string): void {
  const into = reading
  // A header name holds nothing that JSON would have to escape.
  const isPlain = !UNUSUAL_OR_LIST.test(value)
  into.text += `${into.count === 0 ? '"' : ',"'}${name}":${isPlain ? `"${value}"` : quoteValue(value)}`
  into.count++
  into.bytes += name.length + value.length
  switch (name) {
    case 'host':
      into.host = value
      return
    case 'content-type':
      into.contentType = value
      return
    case 'content-length':
      into.contentLength = value
      return
    case 'transfer-encoding':
      into.transferEncoding = value
      return
    case 'origin':
      into.origin = value
      return
    case 'access-control-request-method':
      into.preflightMethod = value
      return
    case 'traceparent':
      into.traceparent = value
      return
    case 'baggage':
      into.baggage = withoutDepth(value)
  }
  if (!isPlain && value.includes(',') && !SINGLE.has(name)) readList(value, name)
}

export function readHeaders(headers: Headers): RequestHeaders {
  reading = empty()
  headers.forEach(readHeader)
  return reading
}

/** Headers whose comma does not separate two values. */
const SINGLE = new Set([
  'authorization',
  'cookie',
  'date',
  'if-modified-since',
  'if-range',
  'if-unmodified-since',
  'proxy-authorization',
  'referer',
  'user-agent',
])

/** Commas inside a quoted string do not separate. */
const LIST_ITEM = /(?:[^",]|"(?:[^"\\]|\\.)*"?)+/g

function readList(value: string, name: string): void {
  const items = (value.match(LIST_ITEM) ?? []).map(item => item.trim()).filter(item => item !== '')
  if (items.length < 2) return
  reading.multi += `${reading.multi === '' ? '"' : ',"'}${name}":[${items.map(quoteValue).join(',')}]`
}
