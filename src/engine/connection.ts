/**
 * One connection, as the router sees it.
 *
 *     pending ──announce, grace over──▶ resolved ──link ends, evicted──▶ gone
 *
 * While pending, registrations are held, because their namespace is not known yet
 * (`docs/protocol/json.md#the-namespace-of-a-connection`). A built-in starts resolved in `default`.
 */
import type {
  InvokeFrame,
  ProblemReason,
  RegisterFunctionFrame,
  RegisterServiceFrame,
  RegisterTriggerFrame,
  RegisterTriggerTypeFrame,
  UnregisterFunctionFrame,
  UnregisterTriggerFrame,
  UnregisterTriggerTypeFrame,
} from '../protocol/frames.ts'
import type { Link } from '../protocol/link.ts'
import { callerSuffix } from '../protocol/payload.ts'
import { DEFAULT_NAMESPACE } from './directory/records.ts'
import type { Invocation } from './invocations.ts'

/** What needs the namespace of its connection. */
export type RegistrationFrame =
  | RegisterFunctionFrame
  | UnregisterFunctionFrame
  | RegisterTriggerTypeFrame
  | UnregisterTriggerTypeFrame
  | RegisterTriggerFrame
  | UnregisterTriggerFrame
  | RegisterServiceFrame

/** Plain integers, read on demand. */
export interface ConnectionCounters {
  received: number
  callsMade: number
  callsExecuted: number
  /** Answers for calls that are over: timed out, cancelled, caller gone, or never known. */
  lateResults: number
  /** Calls that wanted no answer and went nowhere. */
  lostVoids: number
  problems: Partial<Record<ProblemReason, number>>
}

export interface Connection {
  /** The worker id. */
  readonly id: string
  readonly reattachToken: string
  readonly link: Link
  readonly builtIn: boolean
  readonly ipAddress: string | undefined
  phase: 'pending' | 'resolved' | 'gone'
  namespace: string
  /** Frames that wait for the namespace, in order of arrival, and their approximate size. */
  held: (RegistrationFrame | InvokeFrame)[]
  heldBytes: number
  /** Ids of functions whose registration is held: a call to one of them waits too. */
  heldFunctions: Set<string>
  lastFrameAtMs: number
  cancelGrace: () => void
  readonly executing: Map<string, Invocation>
  firstMade: Invocation | undefined
  callsInFlight: number
  /** `,"_caller_worker_id":"…"}` */
  readonly callerSuffix: string
  /** Connections held back because this one does not drain. */
  stalled: Set<Connection> | undefined
  /** How many connections hold this one back. */
  stalledBy: number
  cancelStall: () => void
  /** The client drops its connection on messages above `limits.smallClientMessageBytes`. */
  takesSmallMessagesOnly: boolean
  readonly counters: ConnectionCounters
}

const nothing = (): void => {}

export function createConnection(
  link: Link,
  origin: { id: string; reattachToken: string; builtIn: boolean; ipAddress: string | undefined },
): Connection {
  return {
    id: origin.id,
    reattachToken: origin.reattachToken,
    link,
    builtIn: origin.builtIn,
    ipAddress: origin.ipAddress,
    phase: origin.builtIn ? 'resolved' : 'pending',
    namespace: DEFAULT_NAMESPACE,
    held: [],
    heldBytes: 0,
    heldFunctions: new Set(),
    lastFrameAtMs: 0,
    cancelGrace: nothing,
    executing: new Map(),
    firstMade: undefined,
    callsInFlight: 0,
    callerSuffix: callerSuffix(origin.id),
    stalled: undefined,
    stalledBy: 0,
    cancelStall: nothing,
    takesSmallMessagesOnly: false,
    counters: { received: 0, callsMade: 0, callsExecuted: 0, lateResults: 0, lostVoids: 0, problems: {} },
  }
}
