/**
 * What can still be said of a message that is not valid JSON.
 *
 * A Python handler that returns `NaN` writes text that is not JSON; a caller must then hear of it instead of
 * waiting for its time-out (`docs/protocol/json.md#messages-that-cannot-be-read`). So the ids are looked for by
 * pattern. A wrong guess does no harm: a sender can only fail its own calls and the calls it was asked to answer.
 */
import type { FrameProblem, ProblemReason } from '../frames.ts'
import { parseUuid } from '../uuid.ts'

const TYPE = /"type"\s*:\s*"(invokefunction|invocationresult)"/
const INVOCATION_ID = /"invocation_id"\s*:\s*"([^"\\]{32,45})"/
const FUNCTION_ID = /"function_id"\s*:\s*"([^"\\]{1,1024})"/
const NOT_A_NUMBER = /[:,[]\s*-?(?:NaN|Infinity)\b/

/** Only this much of each end of a message is searched: the header fields come first or last. */
const SEARCHED = 4096

export function salvage(text: string, reason: ProblemReason): FrameProblem {
  const ends = text.length <= 2 * SEARCHED ? text : `${text.slice(0, SEARCHED)}\n${text.slice(-SEARCHED)}`
  const type = TYPE.exec(ends)?.[1]
  const id = INVOCATION_ID.exec(ends)?.[1]
  const about = type === 'invokefunction' || type === 'invocationresult' ? type : undefined
  return {
    type: 'problem',
    reason,
    detail: describe(text, reason),
    about,
    invocationId: about !== undefined && id !== undefined ? parseUuid(id) : undefined,
    functionId: about === undefined ? undefined : FUNCTION_ID.exec(ends)?.[1],
  }
}

function describe(text: string, reason: ProblemReason): string {
  if (reason === 'too_deep') return 'the message is nested too deeply'
  if (reason === 'not_an_object') return 'the message is not a JSON object'
  if (NOT_A_NUMBER.test(text)) return 'the message is not valid JSON (it contains NaN or Infinity)'
  return 'the message is not valid JSON'
}
