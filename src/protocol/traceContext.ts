/** W3C trace context, as far as the engine touches it (`docs/protocol/json.md#trace-context`). */

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const ZERO_TRACE = '0'.repeat(32)
const ZERO_SPAN = '0'.repeat(16)

/** Ids whose calls run in the caller's own context: no `iii.function.id` is added for them. */
const BUILT_IN_PREFIXES = [
  'engine::',
  'state::',
  'stream::',
  'configuration::',
  'iii::',
  'iii-http::',
  'iii-state::',
  'iii-pubsub::',
  'iii-stream::',
  'iii-cron::',
  'iii-queue::',
  'iii-observability::',
  'bridge.',
  'motia::',
  'steps::',
]
const BUILT_IN_IDS = new Set(['publish', 'motia_step_get'])

export function isBuiltInId(functionId: string): boolean {
  return BUILT_IN_IDS.has(functionId) || BUILT_IN_PREFIXES.some(prefix => functionId.startsWith(prefix))
}

/**
 * The header as it goes to the executing worker: unchanged when valid, without the extra fields of a higher
 * version, `undefined` when invalid.
 */
export function forwardedTraceparent(header: string): string | undefined {
  const parts = TRACEPARENT.exec(header)
  if (parts === null) return undefined
  const [, version, trace, span, flags, rest] = parts as unknown as [
    string,
    string,
    string,
    string,
    string,
    string?,
  ]
  if (version === 'ff' || trace === ZERO_TRACE || span === ZERO_SPAN) return undefined
  if (version === '00') return rest === undefined && Number.parseInt(flags, 16) <= 2 ? header : undefined
  const sampled = Number.parseInt(flags, 16) & 1
  return `00-${trace}-${span}-0${sampled}`
}

/** Characters that must be written as percent escapes inside a baggage value. */
const NEEDS_PERCENT = /[^\x21\x23\x24\x26-\x2b\x2d-\x3a\x3c\x3e-\x7e]/gu

export function encodeBaggageValue(value: string): string {
  return value.toWellFormed().replace(NEEDS_PERCENT, character => {
    const code = character.codePointAt(0)!
    return code < 128 ? `%${code.toString(16).toUpperCase().padStart(2, '0')}` : encodeURIComponent(character)
  })
}

function decodeValue(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

const ASCII = /^[\x20-\x7e]*$/
const FUNCTION_KEY = 'iii.function.id'

/** One member that is written as it was read. */
const PLAIN_MEMBER = /^(?!iii\.function\.id=)[\w.-]+=[\w.:-]*$/

/** Reads `name=value` members; properties and members of another form are dropped. */
function parseBaggage(header: string): Map<string, string> {
  const members = new Map<string, string>()
  for (const part of header.split(',')) {
    const member = part.split(';', 1)[0]!
    const equals = member.indexOf('=')
    const name = member.slice(0, equals).trim()
    if (equals <= 0 || name === '' || !ASCII.test(member.trim())) continue
    members.set(name, decodeValue(member.slice(equals + 1).trim()))
  }
  return members
}

function writeBaggage(members: Map<string, string>): string {
  let out = ''
  for (const [name, value] of members) out += `${out === '' ? '' : ','}${name}=${encodeBaggageValue(value)}`
  return out
}

/** Members of functions that were called lately: an event is told to the same functions again and again. */
const functionMembers = new Map<string, string>()
const MOST_FUNCTION_MEMBERS = 4096

/** The member that names a function; empty for a built-in one. */
function functionMember(functionId: string): string {
  const known = functionMembers.get(functionId)
  if (known !== undefined) return known
  const member = isBuiltInId(functionId) ? '' : `${FUNCTION_KEY}=${encodeBaggageValue(functionId)}`
  if (functionMembers.size >= MOST_FUNCTION_MEMBERS) functionMembers.clear()
  functionMembers.set(functionId, member)
  return member
}

/**
 * The baggage of a delivered call. Nothing is added to a call that came with neither header; otherwise
 * `iii.function.id` names the target, except for built-in targets.
 */
export function forwardedBaggage(
  functionId: string,
  traceparent: string | undefined,
  baggage: string | undefined,
): string | undefined {
  if (traceparent === undefined && baggage === undefined) return undefined
  const member = functionMember(functionId)
  if (baggage === undefined) return member || undefined
  if (PLAIN_MEMBER.test(baggage)) return member === '' ? baggage : `${baggage},${member}`
  const members = parseBaggage(baggage)
  if (member !== '') members.set(FUNCTION_KEY, functionId)
  return writeBaggage(members) || undefined
}
