/** The rows of the directory. Payload-like fields stay JSON text: the directory never looks into them. */
import type { Tally } from '../../log/notices.ts'
import type { JsonText } from '../../protocol/jsonText.ts'
import type { Place } from '../routes.ts'

export const DEFAULT_NAMESPACE = 'default'

/** What a worker says of itself in its announce (`docs/protocol/json.md#the-announce`). */
export interface Announcement {
  name: string | undefined
  description: string | undefined
  version: string | undefined
  runtime: string
  os: string | undefined
  pid: number | undefined
  isolation: string | undefined
  telemetry: JsonText | undefined
}

/** A registration that was refused, kept so that it can be shown. */
export interface Refusal {
  readonly what: string
  readonly id: string
  readonly reason: string
  /** Whole milliseconds since 1970: it is shown to clients that read integers. */
  readonly atMs: number
}

export interface WorkerRecord {
  readonly id: string
  /** Proves that a later connection is the same worker. */
  readonly token: string
  /** Who joined later has a higher one. */
  readonly ordinal: number
  /** By which it came back: the id and the token of an earlier connection. */
  proof: string | undefined
  readonly builtIn: boolean
  /** The thread its connection is on. */
  readonly place: Place
  /** Whole milliseconds since 1970. */
  readonly connectedAtMs: number
  readonly ipAddress: string | undefined
  /** Home namespace; `default` until it is fixed. */
  namespace: string
  announcement: Announcement | undefined
  /**
   * Announced a version before 0.23: no name lease, and ids can be taken over
   * (`docs/protocol/json.md#generations-of-clients`).
   */
  legacy: boolean
  /** The name lease this worker holds, as a key of `Directory.names`. */
  nameKey: string | undefined
  readonly functions: Set<FunctionRecord>
  readonly triggerTypes: Set<TriggerTypeRecord>
  readonly bindings: Set<BindingRecord>
  /** Size of the texts of all these registrations, see `textSize`. */
  registeredBytes: number
  /** The newest ones. */
  readonly refusals: Refusal[]
  /** What it did that deserved a warning, however many lines that made: refused registrations, parked triggers, … */
  readonly warnings: Tally
  /** What was this worker's before it lost its connection, as far as it has not taken it back. */
  reclaims: Lost | undefined
  /** Its name was taken back by its earlier holder: it leaves, and leaves no right to return behind. */
  displaced: boolean
}

/**
 * What a lost worker held, for the case that it comes back with its token. Each thing can be taken back once and
 * until the time is over: a right that lasted would let two owners push each other out for ever.
 */
export interface Lost {
  readonly token: string
  readonly proof: string | undefined
  readonly untilMs: number
  nameKey: string | undefined
  readonly functionKeys: Set<string>
}

export interface FunctionDefinition {
  readonly id: string
  readonly namespace: string
  readonly description: string | undefined
  readonly requestFormat: JsonText | undefined
  readonly responseFormat: JsonText | undefined
  readonly metadata: JsonText | undefined
  /** The worker is called over HTTP instead of its socket. */
  readonly invocation: JsonText | undefined
}

/** One worker's claim of a function id. */
export interface FunctionLayer {
  readonly workerId: string
  readonly definition: FunctionDefinition
  readonly size: number
}

/**
 * Who answers a function id.
 *
 *     owner     the one external worker that holds the id
 *     builtIn   lies below and answers while there is no owner
 *     waiting   refused claimants, first come first; the next takes over when the owner goes
 */
export interface FunctionRecord {
  readonly id: string
  readonly namespace: string
  builtIn: FunctionLayer | undefined
  owner: FunctionLayer | undefined
  waiting: FunctionLayer[]
}

export interface TriggerTypeDefinition {
  readonly id: string
  readonly namespace: string
  readonly description: string
  readonly triggerRequestFormat: JsonText | undefined
  readonly callRequestFormat: JsonText | undefined
}

export interface TriggerTypeLayer {
  readonly workerId: string
  readonly builtIn: boolean
  readonly definition: TriggerTypeDefinition
  readonly size: number
}

/** The last layer provides the type; the ones below come back when it goes. */
export interface TriggerTypeRecord {
  readonly id: string
  readonly namespace: string
  layers: TriggerTypeLayer[]
}

/**
 * A binding: trigger type + target function + config, under a global id.
 *
 *     parked ──a provider appears──▶ bound ──the provider goes──▶ parked (or bound to the next provider)
 *        ▲                             │
 *        └──the provider refuses───────┘
 */
export interface BindingRecord {
  readonly id: string
  readonly triggerType: string
  readonly functionId: string
  readonly config: JsonText
  readonly metadata: JsonText | undefined
  /** Namespace of the target. */
  readonly namespace: string
  /** Asked-for namespace of the provider; `undefined`: home first, then `default`. */
  readonly triggerNamespace: string | undefined
  readonly homeNamespace: string
  /** Connection that asked for it; `undefined`: ownerless, survives its caller. */
  readonly ownerId: string | undefined
  /** Of its fixed texts, see `textSize`. */
  readonly size: number
  /** Where warnings about it are counted: with its owner, or with all ownerless ones. */
  readonly warnings: Tally
  provider: TriggerTypeRecord | undefined
  providerId: string | undefined
  /** The provider that refused it; not asked again before it registers the type anew. */
  refusedBy: string | undefined
  parkedReason: string | undefined
  /** What its provider has accepted and will not do, a sentence each. */
  remarks: readonly string[]
  /** What its provider was asked to bind under this id and has not answered yet, the oldest first; the last one may be this. */
  asked: BindingRecord[]
  /** What its provider has bound under this id, as far as it has answered. */
  held: BindingRecord | undefined
}

/** A binding as it is asked for. */
export type NewBinding = Omit<
  BindingRecord,
  | 'size'
  | 'warnings'
  | 'provider'
  | 'providerId'
  | 'refusedBy'
  | 'parkedReason'
  | 'remarks'
  | 'asked'
  | 'held'
>

/** Clients before 0.23 know neither name leases nor refusals (`docs/protocol/json.md#generations-of-clients`). */
export function isLegacyVersion(version: string | undefined): boolean {
  const parts = version === undefined ? null : /^v?(\d+)(?:\.(\d+))?/.exec(version)
  if (parts === null) return false
  return Number(parts[1]) === 0 && Number(parts[2] ?? 0) < 23
}

/** Commands of the command line come and go under one name, several at a time; they hold no lease. */
export const COMMAND_LINE_NAME = 'iii-cli:'

/**
 * Whether the log has a line when a worker comes and when it goes: once it has said who it is. Commands of the command
 * line come and go too often for that, built-ins do not.
 */
export function isWorthLines({ announcement, builtIn }: WorkerRecord): boolean {
  return announcement !== undefined && !builtIn && announcement.name?.startsWith(COMMAND_LINE_NAME) !== true
}

/** Characters of all texts in a definition or a binding: what it costs to keep, approximately. */
export function textSize(registration: object): number {
  let size = 0
  for (const value of Object.values(registration)) if (typeof value === 'string') size += value.length
  return size
}

/** One key for what lives in a namespace: functions, trigger types, worker names. */
export function keyIn(namespace: string, id: string): string {
  return `${namespace}\0${id}`
}

export function answering(record: FunctionRecord): FunctionLayer | undefined {
  return record.owner ?? record.builtIn
}

export function providing(record: TriggerTypeRecord): TriggerTypeLayer | undefined {
  return record.layers[record.layers.length - 1]
}
