/**
 * One connection, as the router sees it.
 *
 *     pending ──announce, grace over──▶ resolved ──link ends, evicted──▶ gone
 *
 * While pending, registrations are held, because their namespace is not known yet
 * (`docs/protocol/json.md#the-namespace-of-a-connection`). A built-in starts resolved in `default`.
 */
import type { Tally } from '../log/notices.ts'
import type {
  FanOutFrame,
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
import type { FaultReason } from '../protocol/msgpack/faults.ts'
import type { Capability, HelloLimits } from '../protocol/msgpack/hello.ts'
import { callerSuffix } from '../protocol/payload.ts'
import {
  type CallTable,
  createMadeBySlot,
  createSlotTable,
  createUuidTable,
  type MadeBySlot,
  MOST_SLOTS,
} from './callTable.ts'
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

/** What may have to wait for registrations before it. */
export type ParkedFrame = RegistrationFrame | InvokeFrame | FanOutFrame

/** Plain integers, read on demand. */
export interface ConnectionCounters {
  received: number
  callsMade: number
  callsExecuted: number
  /** Answers for calls that are over: timed out, cancelled, caller gone, or never known. */
  lateResults: number
  /** Calls that wanted no answer and went nowhere. */
  lostVoids: number
  problems: Partial<Record<ProblemReason | FaultReason, number>>
}

export interface Connection {
  /** The worker id. */
  readonly id: string
  readonly reattachToken: string
  readonly link: Link
  readonly builtIn: boolean
  /** Leads to another thread: whoever calls or answers here is a connection there. */
  readonly trunk: boolean
  /** As announced. */
  name: string | undefined
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
  /** An announce is under way, which will decide about the namespace. */
  announcing: boolean
  /** Its announce was not decided about: the thread of who holds the name looks whether that one lives. */
  nameIsDoubted: boolean
  /** What makes such announces again. */
  doubted: (() => void)[]
  /** Told when this connection is over: others want its name. */
  readonly looks: Set<() => void>
  /** Commands of this connection that the directory has not answered yet. */
  unanswered: number
  /** Frames that wait until it has, in order. */
  parked: ParkedFrame[]
  readonly executing: CallTable
  /** Wants to hear that a call it executes is given up. */
  takesCancel: boolean
  /** Wants to know the caller of each call, and how long that one waits. */
  readonly takesCaller: boolean
  readonly takesDeadline: boolean
  /** Of a trunk: the worker whose calls come now; absent if a part of the engine makes them. */
  speaker: string | undefined
  /** Calls it may still be given; without end if it does not say. */
  credit: number
  /** Calls its worker executes at once, and the largest message it takes. */
  readonly mostCalls: number
  readonly messageBytes: number
  firstMade: Invocation | undefined
  callsInFlight: number
  /** Of a trunk: the calls it made, by their ids. */
  readonly madeBySlot: MadeBySlot | undefined
  /** `,"_caller_worker_id":"…"}` */
  readonly callerSuffix: string
  /** The same for workers that take it in the extras of a call; made with the first such call. */
  callerExtras: Uint8Array | undefined
  /** Connections held back because this one does not drain. */
  stalled: Set<Connection> | undefined
  /** Workers of other threads that are held back for the same reason, with the trunks their calls come over. */
  stalledAfar: Map<string, Connection> | undefined
  /** Of a trunk: its thread's workers that are held back there, and for how many connections of this thread. */
  readonly asked: Map<string, number>
  /** Of a trunk: this thread's workers that it holds back; each entry lets one of them go on. */
  readonly holds: Map<string, () => void>
  /** How many connections hold this one back. */
  stalledBy: number
  cancelStall: () => void
  /** The client drops its connection on messages above `limits.smallClientMessageBytes`. */
  takesSmallMessagesOnly: boolean
  readonly counters: ConnectionCounters
  /** What had to be said about it, by what it was. */
  readonly warnings: Tally
}

/** Where a connection comes from and what its worker can do. */
export interface Origin {
  readonly builtIn: boolean
  readonly ipAddress: string | undefined
  /** As agreed in the hello exchange of the msgpack framing. */
  readonly capabilities?: ReadonlySet<Capability>
  /** Of an instance of a gateway: who it is to the directory, which knows it already. */
  readonly identity?: { readonly id: string; readonly token: string }
  readonly takes?: HelloLimits
}

export interface ConnectionParts extends Origin {
  readonly id: string
  readonly reattachToken: string
  readonly trunk: boolean
  /** Largest message its worker takes. */
  readonly messageBytes: number
  /** Makes UUIDs for calls. */
  readonly newCallId: () => string
}

/** In place of a task that is over: what it held on to can go. */
export const nothing = (): void => {}

export function createConnection(link: Link, parts: ConnectionParts): Connection {
  const { id, reattachToken, builtIn, trunk, ipAddress, capabilities, takes } = parts
  return {
    id,
    reattachToken,
    link,
    builtIn,
    trunk,
    ipAddress,
    name: undefined,
    phase: builtIn || trunk ? 'resolved' : 'pending',
    namespace: DEFAULT_NAMESPACE,
    held: [],
    heldBytes: 0,
    heldFunctions: new Set(),
    lastFrameAtMs: 0,
    cancelGrace: nothing,
    announcing: false,
    nameIsDoubted: false,
    doubted: [],
    looks: new Set(),
    unanswered: 0,
    parked: [],
    executing:
      link.framing === 'msgpack' || link.passesFrames === true
        ? createSlotTable()
        : createUuidTable(parts.newCallId),
    firstMade: undefined,
    callsInFlight: 0,
    takesCancel: trunk || capabilities?.has('cancel') === true,
    takesCaller: trunk || link.passesFrames === true || capabilities?.has('caller') === true,
    takesDeadline: trunk || capabilities?.has('deadline') === true,
    speaker: undefined,
    credit: capabilities?.has('credit') === true ? 0 : Number.POSITIVE_INFINITY,
    mostCalls:
      trunk || link.passesFrames === true ? MOST_SLOTS : (takes?.callsInFlight ?? Number.POSITIVE_INFINITY),
    madeBySlot: trunk ? createMadeBySlot() : undefined,
    messageBytes: parts.messageBytes,
    callerSuffix: callerSuffix(id),
    callerExtras: undefined,
    stalled: undefined,
    stalledAfar: undefined,
    asked: new Map(),
    holds: new Map(),
    stalledBy: 0,
    cancelStall: nothing,
    takesSmallMessagesOnly: false,
    counters: { received: 0, callsMade: 0, callsExecuted: 0, lateResults: 0, lostVoids: 0, problems: {} },
    warnings: new Map(),
  }
}
