/** Payloads on their way between links: into a form their receiver can read, and never too large for its message. */
import { FieldProblem } from '../protocol/fieldProblem.ts'
import type { InvokeFrame, Payload, ResultFrame } from '../protocol/frames.ts'
import type { JsonText } from '../protocol/jsonText.ts'
import { jsonOf, payloadSize } from '../protocol/msgpack/payload.ts'
import type { Connection } from './connection.ts'
import * as refusals from './refusals.ts'
import type { EngineState } from './state.ts'

/** Characters of a message that are not its payload: names of fields, ids, trace context. */
const ENVELOPE = 64 * 1024

/** Whether a payload of so many bytes fits into a message for this worker. */
export const fitsInto = (to: Connection, bytes: number): boolean => bytes <= to.messageBytes - ENVELOPE

/**
 * Whether a payload does not fit into a message. Asked about what built-in workers write and what goes to a worker
 * that takes less than others: what else comes over a socket has fitted into a message already. Whoever got a larger
 * one would drop its connection.
 */
function isTooLarge(to: Connection, payload: Payload): boolean {
  const most = to.messageBytes - ENVELOPE
  // A character takes three bytes at most: the bytes of a small text need not be counted.
  if (payloadSize(payload) * 3 <= most) return false
  return (typeof payload === 'string' ? Buffer.byteLength(payload) : payloadSize(payload)) > most
}

function mayBeTooLarge(
  { limits }: EngineState,
  from: Connection,
  to: Connection,
  isTranslated: boolean,
): boolean {
  return from.builtIn || isTranslated || to.messageBytes < limits.messageBytes
}

/** A payload as JSON text; what is wrong with it if it has no such form. */
function toJson(payload: Payload): JsonText | FieldProblem {
  try {
    return jsonOf(payload)
  } catch (problem) {
    if (problem instanceof FieldProblem) return problem
    throw problem
  }
}

/** Makes the input of a call JSON text; returns the error if it has no such form. */
export function inputToJson(frame: InvokeFrame): JsonText | undefined {
  const json = toJson(frame.data)
  if (json instanceof FieldProblem) return refusals.undecodable(frame.functionId, json.detail)
  frame.data = json
  return undefined
}

/** Puts the input of a call into a form its callee can read; returns the error if there is none. */
export function adaptInput(
  engine: EngineState,
  caller: Connection,
  callee: Connection,
  frame: InvokeFrame,
): JsonText | undefined {
  const isTranslated = callee.link.framing === 'json' && typeof frame.data !== 'string'
  const fault = isTranslated ? inputToJson(frame) : undefined
  if (fault !== undefined) return fault
  return mayBeTooLarge(engine, caller, callee, isTranslated) && isTooLarge(callee, frame.data)
    ? refusals.payloadTooLarge(`The input of function ${frame.functionId}`, callee.messageBytes)
    : undefined
}

/** Puts a result into a form its caller can read; returns the error if there is none. */
export function adaptResult(
  engine: EngineState,
  callee: Connection,
  caller: Connection,
  functionId: string,
  frame: ResultFrame,
): JsonText | undefined {
  const { result } = frame
  if (result === undefined) return undefined
  const isTranslated = caller.link.framing === 'json' && typeof result !== 'string'
  if (isTranslated) {
    const json = toJson(result)
    if (json instanceof FieldProblem) return refusals.undecodableResult(functionId, json.detail)
    frame.result = json
  }
  return mayBeTooLarge(engine, callee, caller, isTranslated) && isTooLarge(caller, frame.result!)
    ? refusals.resultTooLarge(functionId, caller.messageBytes)
    : undefined
}
