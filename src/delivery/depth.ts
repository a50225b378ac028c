/**
 * How deep an event lies in a chain of events: a handler that is called because of one makes another, and so on. The
 * depth travels as a member of the baggage, which clients pass on from a handler to the calls it makes.
 */
const MEMBER = /(?:^|,)\s*iii-depth\s*=\s*(\d{1,9})\s*(?=[;,]|$)/
const ANY_MEMBER = /(?:^|,)\s*iii-depth\s*=[^,]*/g

/** What a call came with, as far as it goes on to what follows from it. */
export interface Cause {
  readonly traceparent: string | undefined
  readonly baggage: string | undefined
}

/** 0: the call was made because of no event. */
export function depthOf(baggage: string | undefined): number {
  const found = baggage === undefined ? null : MEMBER.exec(baggage)
  return found === null ? 0 : Number(found[1])
}

/** The same baggage with this depth. */
export function withDepth(baggage: string | undefined, depth: number): string {
  const own = `iii-depth=${depth}`
  if (baggage === undefined || baggage === '') return own
  const others = baggage.replace(ANY_MEMBER, '').replace(/^\s*,/, '')
  return others.trim() === '' ? own : `${own},${others}`
}

/** What may name the member once a client has decoded it. */
const MAY_NAME = /iii-depth|%/i

/** The same baggage without a depth, for what comes from outside: nobody there says how deep an event lies. */
export function withoutDepth(baggage: string | undefined): string | undefined {
  if (baggage === undefined || !MAY_NAME.test(baggage)) return baggage
  return baggage.split(',').filter(isNotDepth).join(',') || undefined
}

function isNotDepth(member: string): boolean {
  let name = member.split(/[=;]/, 1)[0]!
  try {
    name = decodeURIComponent(name)
  } catch {
    // Whoever cannot decode it either reads it as it is.
  }
  return name.trim().toLowerCase() !== 'iii-depth'
}
