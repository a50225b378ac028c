/** The condition of a route that is an expression: asked about the payload, without a call. */
import type { Condition } from '../../src/delivery/condition.ts'
import { parseEvent } from '../../src/delivery/event.ts'
import type { JsonText } from '../../src/protocol/jsonText.ts'
import type { FailureCode } from './failures.ts'

/** Why the function does not run; `undefined`: it does. */
export function refusalBy(
  condition: Condition,
  payload: JsonText,
): readonly [code: FailureCode, message: string] | undefined {
  const verdict = condition.holds(parseEvent(payload))
  if (verdict === 'run') return undefined
  return verdict === 'skip'
    ? ['CONDITION_NOT_MET', 'Request condition not met']
    : ['CONDITION_FAILED', `The condition of the route cannot be decided: ${verdict.error}`]
}
