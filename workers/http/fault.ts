/** Which requests are refused whatever their route. The server has refused the worst already: see `listener.ts`. */
import type { HttpConfig } from './config.ts'
import type { FailureCode } from './failures.ts'
import type { RequestHeaders } from './headers.ts'

/** The code and the sentence of the refusal; `undefined`: nothing is wrong. */
export function faultOf(
  url: string,
  headers: RequestHeaders,
  config: HttpConfig,
): [FailureCode, string] | undefined {
  if (url.length > config.url_limit_length) {
    return ['URI_TOO_LONG', `The URL is longer than ${config.url_limit_length} characters.`]
  }
  if (headers.count > config.header_limit_count) {
    return ['HEADERS_TOO_LARGE', `The request has more than ${config.header_limit_count} headers.`]
  }
  if (headers.bytes > config.header_limit_bytes) {
    return ['HEADERS_TOO_LARGE', `The request headers are larger than ${config.header_limit_bytes} bytes.`]
  }
  const { contentLength, host } = headers
  if (contentLength?.includes(',')) return ['BAD_REQUEST', 'Content-Length was given more than once.']
  if (host !== undefined && (host.includes(',') || url.charCodeAt(0) === 47)) {
    return ['BAD_REQUEST', 'The Host header is not one valid host.']
  }
  if (contentLength !== undefined && Number(contentLength) > config.body_limit_bytes) {
    return ['PAYLOAD_TOO_LARGE', `The request body is larger than ${config.body_limit_bytes} bytes.`]
  }
  return undefined
}
