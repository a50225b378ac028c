/** What belongs to one request on its way through the http worker, and where that way leads. */

import type { DeadlineNode } from '../../src/clock/deadlines.ts'
import type { Condition } from '../../src/delivery/condition.ts'
import type { JsonText } from '../../src/protocol/jsonText.ts'
import type { Heads } from './cors.ts'
import type { FailedRoute } from './failures.ts'
import type { PayloadParts, PayloadSource } from './payload.ts'
import type { Match } from './routes.ts'

/** Where a route leads. */
export interface Destination {
  readonly functionId: string
  /** Of the function and of the condition. */
  readonly namespace: string | undefined
  readonly metadata: JsonText | undefined
  readonly conditionFunctionId: string | undefined
  /** If there are both, both must allow. */
  readonly condition: Condition | undefined
  /** Milliseconds; `undefined`: the default of the worker. */
  readonly timeoutMs: number | undefined
  readonly payload: PayloadParts
}

/**
 * A call that takes longer than this is cancelled when its client goes away. Most are answered before, and hearing of
 * the client costs as much as a tenth of the whole request.
 */
export const WATCH_AFTER_MS = 100

/** A request that has a route. */
export interface Exchange extends PayloadSource, DeadlineNode {
  readonly request: Request
  readonly match: Match<Destination>
  readonly heads: Heads
  readonly endsAt: number
  readonly timeoutMs: number
  stage: 'waiting' | 'body' | 'condition' | 'function' | 'over'
  holdsPlace: boolean
  /** Room its body takes up in memory. */
  bodyBytes: number
  /** Gives up the call under way. */
  cancel: (() => void) | undefined
  /** Hears when the client goes away. */
  watched: boolean
  resolve: (response: Response) => void
}

/** What log lines say of an exchange. */
export function aboutOf({ method, match: { route } }: Exchange): FailedRoute {
  return { method, api_path: route.pattern, function_id: route.target.functionId }
}
