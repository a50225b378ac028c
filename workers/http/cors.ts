/**
 * Cross-origin rules: which headers every answer carries, and the answer to a preflight.
 *
 * Without a `cors` block everything is allowed, but never credentials. The rules do not keep a request from running:
 * they tell the browser who may read the answer.
 */
import type { CorsConfig } from './config.ts'

/** The headers an answer starts from. Shared between answers: copy before changing. */
export interface Heads {
  readonly bare: Headers
  /** `bare` with `content-type: application/json`. */
  readonly json: Headers
}

export interface Cors {
  /** `origin` is the request's header. */
  headsFor(origin: string | undefined): Heads
  /** The answer to an OPTIONS request with `origin` and `access-control-request-method`. */
  preflight(origin: string): Response
}

const VARY = 'origin, access-control-request-method, access-control-request-headers'

function isAny(list: readonly string[]): boolean {
  return list.length === 0 || list.includes('*')
}

function createHeads(fields: Record<string, string>): Heads {
  const bare = { ...fields, vary: VARY }
  return { bare: new Headers(bare), json: new Headers({ 'content-type': 'application/json', ...bare }) }
}

export function createCors(config: CorsConfig | undefined): Cors {
  const origins = new Map<string, Heads>()
  let others: Heads
  if (config === undefined) {
    others = createHeads({ 'access-control-allow-origin': '*', 'access-control-expose-headers': '*' })
  } else if (isAny(config.allowed_origins)) {
    others = createHeads({ 'access-control-allow-origin': '*' })
  } else {
    others = createHeads({})
    for (const origin of config.allowed_origins) {
      origins.set(origin, createHeads({ 'access-control-allow-origin': origin }))
    }
  }
  const methods =
    config === undefined || isAny(config.allowed_methods)
      ? '*'
      : config.allowed_methods.join(',').toUpperCase()

  const headsFor = (origin: string | undefined): Heads =>
    (origin === undefined ? undefined : origins.get(origin)) ?? others

  return {
    headsFor,
    preflight(origin) {
      const headers = new Headers(headsFor(origin).bare)
      headers.delete('access-control-expose-headers')
      headers.set('access-control-allow-methods', methods)
      headers.set('access-control-allow-headers', '*')
      return new Response(null, { headers })
    },
  }
}
