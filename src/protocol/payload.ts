/** Changes to a payload that is an object, made on its text. */

import { createObjectScanner } from './json/scan.ts'
import { asJsonText, fromJsonText, JSON_EMPTY_OBJECT, type JsonText, toJsonText } from './jsonText.ts'

export const CALLER_KEY = '_caller_worker_id'

const OPEN_BRACE = 123
const CLOSE_BRACE = 125

const callerScanner = createObjectScanner([CALLER_KEY])

function isEmptyObject(object: JsonText): boolean {
  if (object.length === 2) return true
  for (let i = 1; i < object.length; i++) {
    const code = object.charCodeAt(i)
    if (code === CLOSE_BRACE) return true
    if (code > 32) return false
  }
  return false
}

/** `,"_caller_worker_id":"…"}`, made once per connection. */
export function callerSuffix(workerId: string): string {
  return `,"${CALLER_KEY}":"${workerId}"}`
}

const mayHoldCaller = (data: JsonText): boolean => data.includes(CALLER_KEY) || data.includes('\\u00')

/** What a caller may write: any JSON value, but an object without `_caller_worker_id`. */
export function withoutForgedCaller(data: JsonText): JsonText {
  return data.charCodeAt(0) === OPEN_BRACE && mayHoldCaller(data) ? withoutCaller(data) : data
}

/**
 * Sets `_caller_worker_id` inside an object, as its last member; any other JSON value is returned as it is.
 * A value the client sent under that name, also one spelled with escapes, is removed first: some parsers take the
 * first of two equal keys, others the last (`docs/protocol/json.md#who-called`).
 */
export function withCaller(data: JsonText, suffix: string): JsonText {
  if (data.charCodeAt(0) !== OPEN_BRACE) return data
  const object = mayHoldCaller(data) ? withoutCaller(data) : data
  return asJsonText(isEmptyObject(object) ? `{${suffix.slice(1)}` : object.slice(0, -1) + suffix)
}

/** Removes every `_caller_worker_id` of an object. */
export function withoutCaller(data: JsonText): JsonText {
  if (callerScanner.scan(data) !== undefined || !callerScanner.has(0)) return data
  // Who writes the key twice is forging it, perhaps a million times; to cut one by one would take a scan for each.
  if (callerScanner.duplicate() === 0) return rewrittenWithoutCaller(data)
  return cutMember(data, callerScanner.startOf(0), callerScanner.endOf(0))
}

function rewrittenWithoutCaller(data: JsonText): JsonText {
  const object = fromJsonText(data) as Record<string, unknown>
  delete object[CALLER_KEY]
  return toJsonText(object)
}

/** Cuts the member whose value lies at `start..end`: back to the comma or brace before its key. */
function cutMember(object: JsonText, start: number, end: number): JsonText {
  let from = start - 1
  while (object.charCodeAt(from) !== 58 /* : */) from--
  from = startOfKey(object, from)
  let before = from - 1
  while (object.charCodeAt(before) <= 32) before--
  const isFirst = object.charCodeAt(before) === OPEN_BRACE
  if (!isFirst) return asJsonText(object.slice(0, before) + object.slice(end))
  let after = end
  while (object.charCodeAt(after) <= 32) after++
  if (object.charCodeAt(after) === CLOSE_BRACE) return JSON_EMPTY_OBJECT
  return asJsonText(`{${object.slice(after + 1)}`)
}

/** `colon` is the index of the colon; returns the index of the key's opening quote. The key holds no quote itself. */
function startOfKey(object: JsonText, colon: number): number {
  const close = object.lastIndexOf('"', colon)
  return object.lastIndexOf('"', close - 1)
}
