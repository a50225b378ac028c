/**
 * The first frame in each direction: who one is, which versions and capabilities one has, what one can take.
 *
 *     [0, { versions, capabilities, limits: { message_bytes, frames_per_message, calls_in_flight }, agent }]
 *
 * Both sides send theirs at once and compute the same agreement from the two: the highest common version, and the
 * capabilities both name. Nothing of it waits for an answer.
 */

import { asObject } from '../errorBody.ts'
import { FieldProblem } from '../fieldProblem.ts'
import { fromJsonText, toJsonText } from '../jsonText.ts'
import { limits } from '../limits.ts'
import type { Fault } from './faults.ts'
import { jsonToMsgpack } from './fromJson.ts'
import { CREDIT, HELLO, PROTOCOL_VERSION } from './layout.ts'
import type { OutBuffer } from './outBuffer.ts'
import type { FrameReader } from './reader.ts'
import { msgpackToJson } from './toJson.ts'
import { findMap, skipValue, smallUnsigned } from './walk.ts'
import { writeArrayHead, writeInteger } from './writeValue.ts'

/**
 * What a side may be able to do beyond plain calls.
 *  - `cancel`: takes `cancel` frames for calls it executes.
 *  - `caller`: wants to know the caller of each call (`caller` in its extras).
 *  - `deadline`: wants to know how long the caller waits (`timeout_ms` in the extras of calls it executes).
 *  - `credit`: executes only as many calls as it has granted by `credit` frames.
 */
export const capabilities = ['cancel', 'caller', 'deadline', 'credit'] as const
export type Capability = (typeof capabilities)[number]

export interface HelloLimits {
  /** Largest message taken. */
  readonly messageBytes: number
  readonly framesPerMessage: number
  /** Calls taken from the other side at once. */
  readonly callsInFlight: number
}

export interface Hello {
  readonly versions: readonly number[]
  /** Those that are known here; others are ignored. */
  readonly capabilities: readonly Capability[]
  readonly limits: HelloLimits
  /** Name and version of the program, for people. */
  readonly agent: string
}

/** What two sides have in common. */
export interface Agreement {
  readonly version: number
  readonly capabilities: ReadonlySet<Capability>
  /** What the other side can take. */
  readonly limits: HelloLimits
}

const DEFAULT_LIMITS: HelloLimits = {
  messageBytes: limits.messageBytes,
  framesPerMessage: limits.framesPerMessage,
  callsInFlight: limits.callsInFlight,
}

export function ownHello(agent: string, own: readonly Capability[]): Hello {
  return { versions: [PROTOCOL_VERSION], capabilities: own, limits: DEFAULT_LIMITS, agent }
}

export function writeHello(out: OutBuffer, hello: Hello): void {
  writeArrayHead(out, 2)
  writeInteger(out, HELLO)
  const { messageBytes, framesPerMessage, callsInFlight } = hello.limits
  const json = toJsonText({
    versions: hello.versions,
    capabilities: hello.capabilities,
    limits: {
      message_bytes: messageBytes,
      frames_per_message: framesPerMessage,
      calls_in_flight: callsInFlight,
    },
    agent: hello.agent,
  })
  jsonToMsgpack(json, out)
}

/** Longest agent text that is kept. */
const AGENT_LENGTH = 280

function fault(reason: Fault['reason'], detail: string): Fault {
  return { reason, detail }
}

/** Reads the first frame of a connection. */
export function readHello(reader: FrameReader): Hello | Fault {
  if (reader.kind !== HELLO) return fault('hello_expected', 'the first frame must be hello')
  const { bytes, elements, count, end } = reader
  const at = elements[1]!
  if (count < 2 || !findMap(bytes, at)) return fault('invalid_hello', 'hello must hold a map')
  try {
    return toHello(asObject(fromJsonText(msgpackToJson(bytes, at, skipValue(bytes, at, end))))!)
  } catch (problem) {
    if (problem instanceof FieldProblem) return fault('invalid_hello', problem.detail)
    throw problem
  }
}

function toHello(map: Record<string, unknown>): Hello {
  const { versions, agent } = map
  if (!Array.isArray(versions) || !versions.every(Number.isSafeInteger) || versions.length === 0) {
    throw new FieldProblem('wrong_type', 'versions must be a list of integers')
  }
  const named = Array.isArray(map.capabilities) ? map.capabilities : []
  const theirs = asObject(map.limits)
  return {
    versions: versions as number[],
    capabilities: capabilities.filter(name => named.includes(name)),
    limits: {
      messageBytes: positive(theirs?.message_bytes, DEFAULT_LIMITS.messageBytes),
      framesPerMessage: positive(theirs?.frames_per_message, DEFAULT_LIMITS.framesPerMessage),
      callsInFlight: positive(theirs?.calls_in_flight, DEFAULT_LIMITS.callsInFlight),
    },
    agent: typeof agent === 'string' ? agent.slice(0, AGENT_LENGTH) : '',
  }
}

/** A limit that is missing or makes no sense counts as our own, and none lies above it: the engine's bounds hold. */
function positive(value: unknown, own: number): number {
  return typeof value === 'number' && value >= 1 ? Math.min(Math.floor(value), own) : own
}

export function agree(own: Hello, theirs: Hello): Agreement | Fault {
  const common = own.versions.filter(version => theirs.versions.includes(version))
  if (common.length === 0) {
    return fault('no_common_version', `versions here: ${own.versions.join(', ')}`)
  }
  return {
    version: Math.max(...common),
    capabilities: new Set(own.capabilities.filter(name => theirs.capabilities.includes(name))),
    limits: theirs.limits,
  }
}

/** Grants `calls` further calls to the other side. */
export function writeCredit(out: OutBuffer, calls: number): void {
  writeArrayHead(out, 2)
  writeInteger(out, CREDIT)
  writeInteger(out, calls)
}

/** How many calls the reader's current frame, a credit, grants; 0 if it does not say. */
export function readCredit({ bytes, elements, count }: FrameReader): number {
  return count < 2 ? 0 : Math.max(0, smallUnsigned(bytes, elements[1]!))
}
