/**
 * The path of a route, as it is written in a trigger.
 *
 *     /orders/:id        a parameter: one segment
 *     /orders/{id}       the same
 *     /files/{*rest}     a wildcard: the rest of the path, at least one character; last segment only
 *     /files/*rest       the same;  /files/*  delivers it under the name `*`
 *
 * Everything else is literal. Literals are compared decoded, so `/café` and `/caf%C3%A9` are the same route. The
 * leading slash may be left out; a slash at the end counts.
 */

import { shortened } from '../../src/log/notices.ts'
import { limits } from '../../src/protocol/limits.ts'

/** No URL is longer, whatever the configuration allows: it stands in the header block. */
const LONGEST = limits.httpHeaderBytes

export type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'parameter' | 'wildcard'; readonly name: string }

export type PatternResult =
  | { readonly ok: true; readonly segments: readonly Segment[] }
  | { readonly ok: false; readonly problem: string }

/** A pattern in its parts, or a sentence that says why it cannot be one. */
export function parsePattern(pattern: string): PatternResult {
  const refuse = (why: string): PatternResult => ({
    ok: false,
    problem: `the path '${shortened(pattern)}' ${why}`,
  })
  if (pattern.length > LONGEST) return refuse(`is longer than ${LONGEST} characters; no request can have it`)
  if (/[?#]/.test(pattern)) return refuse('must not contain ? or #: a route is chosen by the path alone')
  const texts = (pattern.startsWith('/') ? pattern.slice(1) : pattern).split('/')
  const segments: Segment[] = []
  const names = new Set<string>()
  for (const [index, text] of texts.entries()) {
    const segment = parseSegment(text)
    if (segment === undefined) return refuse(`has a segment that cannot be read: '${shortened(text)}'`)
    if (segment.kind === 'literal') {
      if (segment.text === '.' || segment.text === '..') return refuse('must not contain . or .. segments')
    } else {
      if (names.has(segment.name)) return refuse(`names '${shortened(segment.name)}' twice`)
      names.add(segment.name)
      if (segment.kind === 'wildcard' && index < texts.length - 1) {
        return refuse('has a wildcard that is not the last segment')
      }
    }
    segments.push(segment)
  }
  return { ok: true, segments }
}

function parseSegment(text: string): Segment | undefined {
  if (text.startsWith(':')) return named('parameter', text.slice(1))
  if (text.startsWith('*'))
    return text === '*' ? { kind: 'wildcard', name: '*' } : named('wildcard', text.slice(1))
  if (text.startsWith('{') && text.endsWith('}')) {
    return text[1] === '*' ? named('wildcard', text.slice(2, -1)) : named('parameter', text.slice(1, -1))
  }
  return /[{}]/.test(text) ? undefined : { kind: 'literal', text: decodeSegment(text) ?? text }
}

function named(kind: 'parameter' | 'wildcard', name: string): Segment | undefined {
  return /^[^{}*:]+$/.test(name) ? { kind, name } : undefined
}

/** A path segment without its percent escapes; `undefined`: an escape is broken or not UTF-8. */
export function decodeSegment(text: string): string | undefined {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
