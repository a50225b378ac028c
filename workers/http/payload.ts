/** Writes the payload a function gets for a request, as JSON text put together from pieces that are text already. */
import { asJsonText, type JsonText, quote } from '../../src/protocol/jsonText.ts'
import type { RequestHeaders } from './headers.ts'
import { decodeSegment } from './pattern.ts'
import { type Match, type Route, SERVED_METHODS } from './routes.ts'
import { type RequestTarget, readQuery } from './target.ts'

/** What a route's payloads have in common. Made once, when the trigger is bound. */
export interface PayloadParts {
  /** Names of the parameters, as JSON keys with their colon. */
  readonly keys: readonly string[]
  /** By method of the request: everything between the headers and the body. */
  readonly middles: ReadonlyMap<string, string>
}

export function preparePayload(route: Pick<Route<unknown>, 'method' | 'pattern' | 'segments'>): PayloadParts {
  const keys = route.segments.flatMap(each => (each.kind === 'literal' ? [] : `${quote(each.name)}:`))
  const path = quote(route.pattern)
  const middles = SERVED_METHODS.map((method): [string, string] => {
    const bound = route.method === '*' ? method : route.method
    const trigger = `{"type":"http","path":${path},"method":"${bound}"}`
    return [method, `},"path":${path},"method":"${method}","trigger":${trigger},"body":`]
  })
  return { keys, middles: new Map(middles) }
}

/** The values of a match, decoded; `undefined`: one of them has a broken percent escape. */
export function decodeValues(match: Match<unknown>): readonly string[] | undefined {
  const { values } = match
  if (values.length === 0) return values
  const decoded: string[] = []
  for (const value of values) {
    const text = decodeSegment(value)
    if (text === undefined) return undefined
    decoded.push(text)
  }
  return decoded
}

function members(keys: readonly string[], values: readonly string[]): string {
  let text = ''
  for (let i = 0; i < values.length; i++) text += (i === 0 ? '' : ',') + keys[i] + quote(values[i]!)
  return text
}

export interface PayloadSource {
  readonly method: string
  readonly target: RequestTarget
  readonly headers: RequestHeaders
  readonly match: Match<{ readonly payload: PayloadParts }>
  /** Decoded. */
  readonly values: readonly string[]
}

/**
 * `{path_params, query_params, headers, path, method, trigger, body}` as published clients know it (`path` is the
 * pattern), then what we add: `requested_path`, `url`, `raw_query`, `raw_path_params`, `query_multi`, `headers_multi`.
 * The refs `request_body` and `response` join them when there are channels.
 */
export function writePayload(source: PayloadSource, body: JsonText): JsonText {
  const { target, headers, match, values } = source
  const { keys, middles } = match.route.target.payload
  const params = members(keys, values)
  const rawParams = match.values === values ? params : members(keys, match.values)
  const query = readQuery(target.search)
  // Path and query are parts of the URL: when nothing in it needs an escape, nothing in them does.
  const url = quote(target.url)
  const isPlain = url.length === target.url.length + 2
  const path = isPlain ? `"${target.path}"` : quote(target.path)
  const rawQuery = isPlain ? `"${target.search.slice(1)}"` : quote(target.search.slice(1))
  return asJsonText(
    `{"path_params":{${params}},"query_params":{${query.params}},"headers":{${headers.text}` +
      middles.get(source.method)! +
      body +
      `,"requested_path":${path},"url":${url},"raw_query":${rawQuery},"raw_path_params":{${rawParams}}` +
      `,"query_multi":{${query.multi}},"headers_multi":{${headers.multi}}}`,
  )
}
