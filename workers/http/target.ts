/** What a request asks for: its path and its query. */
import { quote } from '../../src/protocol/jsonText.ts'

export interface RequestTarget {
  /** As the server saw it, without a fragment: `http://host/path?query`. */
  readonly url: string
  /** Begins with a slash; percent escapes as sent, `.` and `..` segments resolved. */
  readonly path: string
  /** `''`, or the query with its question mark. */
  readonly search: string
}

/**
 * Takes a URL apart without a URL object: the server has parsed and normalised it already.
 * `undefined`: there is no path in it (`CONNECT host:port`).
 */
export function readTarget(requestUrl: string): RequestTarget | undefined {
  const fragment = requestUrl.indexOf('#')
  const url = fragment < 0 ? requestUrl : requestUrl.slice(0, fragment)
  // A bare path stands for a request without Host (HTTP/1.0); else skip `http://` and the first letter of the host.
  const start = url.charCodeAt(0) === 47 ? 0 : url.indexOf('/', 8)
  if (start < 0) return undefined
  const question = url.indexOf('?', start)
  return question < 0
    ? { url, path: url.slice(start), search: '' }
    : { url, path: url.slice(start, question), search: url.slice(question) }
}

/** The members of `query_params` and `query_multi`, as JSON text without the braces. */
export interface QueryText {
  readonly params: string
  /** Only keys that were given more than once. */
  readonly multi: string
}

const NO_QUERY: QueryText = { params: '', multi: '' }

/**
 * `+` and percent escapes decoded, the last of equal keys counts, a key without `=` has the value `""`. Never an error:
 * a bad escape stays as it is, bytes that are not UTF-8 become U+FFFD.
 */
export function readQuery(search: string): QueryText {
  if (search.length < 2) return NO_QUERY
  return readPlainQuery(search) ?? readAnyQuery(search)
}

/** What has to be decoded or escaped; nothing of it stands in most queries. */
const UNUSUAL = /[^!#$&-*,-[\]-~]/

/** More pairs than this are looked through faster with a map. */
const FEW_PAIRS = 8

/** A few different keys that say what they mean: the text is cut out. `undefined`: this query is not like that. */
function readPlainQuery(search: string): QueryText | undefined {
  if (UNUSUAL.test(search)) return undefined
  let params = ''
  let pairs = 0
  for (let from = 1; from < search.length; ) {
    let end = search.indexOf('&', from)
    if (end < 0) end = search.length
    if (end > from) {
      if (++pairs > FEW_PAIRS) return undefined
      const equals = search.indexOf('=', from)
      const isBare = equals < 0 || equals > end
      const member = `"${search.slice(from, isBare ? end : equals)}":"`
      // May take a value for a key, which costs the way through the map and nothing else.
      if (params.includes(member)) return undefined
      params += `${params === '' ? '' : ','}${member}${isBare ? '' : search.slice(equals + 1, end)}"`
    }
    from = end + 1
  }
  return { params, multi: '' }
}

function readAnyQuery(search: string): QueryText {
  const lists = new Map<string, string[]>()
  for (const [key, value] of new URLSearchParams(search)) {
    const list = lists.get(key)
    if (list === undefined) lists.set(key, [value])
    else list.push(value)
  }
  let params = ''
  let multi = ''
  for (const [key, list] of lists) {
    const name = quote(key)
    params += `${params === '' ? '' : ','}${name}:${quote(list.at(-1)!)}`
    if (list.length > 1) multi += `${multi === '' ? '' : ','}${name}:[${list.map(quote).join(',')}]`
  }
  return { params, multi }
}
