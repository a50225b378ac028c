/**
 * The announce, `engine::workers::register`: who a worker is, and which namespace it lives in
 * (`docs/protocol/json.md#the-announce`).
 */

import { shortened } from '../log/notices.ts'
import type { InvokeFrame } from '../protocol/frames.ts'
import { asJsonText, type JsonText, toJsonText } from '../protocol/jsonText.ts'
import type { Limits } from '../protocol/limits.ts'
import { inputToJson } from './adapt.ts'
import { reply } from './calls.ts'
import type { Connection } from './connection.ts'
import type { Command } from './directory/command.ts'
import { type Announcement, DEFAULT_NAMESPACE } from './directory/records.ts'
import { submit } from './order.ts'
import { blankAnnouncedNamespace, longAnnouncedNamespace, undecodable } from './refusals.ts'
import { fixNamespace } from './registrations.ts'
import { type EngineState, warnAbout } from './state.ts'

/** A JSON worker that takes `cancelinvocation` for calls it executes says so among its features. */
const CANCEL_FEATURE = 'cancel.v1'

export const ANNOUNCE_FUNCTION = 'engine::workers::register'

const CONTROL_AND_DIRECTION = /[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]/g

/** Names and descriptions are shown to people: no control or direction characters, 280 characters, trimmed. */
function announcedText(value: unknown, limits: Limits): string | undefined {
  if (typeof value !== 'string') return undefined
  // A character takes two units at most. What was left out before it was cut is not made up for.
  const plain = value.slice(0, 4 * limits.announcedTextLength).replace(CONTROL_AND_DIRECTION, '')
  return Array.from(plain).slice(0, limits.announcedTextLength).join('').trim() || undefined
}

function text(value: unknown, limits: Limits): string | undefined {
  return typeof value === 'string' && value !== '' ? shortened(value, limits.announcedTextLength) : undefined
}

/** What a client says of its own telemetry: kept as it is, or not at all. */
function telemetryText(value: unknown, limits: Limits): JsonText | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const json = toJsonText(value)
  return json.length <= 4 * limits.nameLength ? json : undefined
}

function readAnnouncement(data: Record<string, unknown>, limits: Limits): Announcement {
  const { pid, telemetry } = data
  return {
    name: announcedText(data.name, limits),
    description: announcedText(data.description, limits),
    version: text(data.version, limits),
    runtime: text(data.runtime, limits) ?? 'unknown',
    os: text(data.os, limits),
    pid:
      Number.isInteger(pid) && (pid as number) >= 0 && (pid as number) < 2 ** 32
        ? (pid as number)
        : undefined,
    isolation: text(data.isolation, limits),
    telemetry: telemetryText(telemetry, limits),
  }
}

/** Python before 0.24.5 reads messages of at most 1 MiB; later ones and all others read 64 MiB. */
function takesSmallMessagesOnly(announcement: Announcement, features: unknown): boolean {
  if (announcement.runtime !== 'python') return false
  if (Array.isArray(features) && features.includes('large-messages.v1')) return false
  const parts = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(announcement.version ?? '')
  if (parts === null) return true
  const [major, minor, patch] = parts.slice(1).map(part => Number(part ?? 0)) as [number, number, number]
  return major === 0 && (minor < 24 || (minor === 24 && patch < 5))
}

function namespaceFault(namespace: unknown, worker: string, limits: Limits): JsonText | undefined {
  if (typeof namespace !== 'string') return undefined
  if (namespace.trim() === '') return blankAnnouncedNamespace(worker)
  return namespace.length > limits.nameLength ? longAnnouncedNamespace(worker, limits.nameLength) : undefined
}

/** Handles the announce at once, before the next frame of the connection is looked at. */
export function announce(engine: EngineState, connection: Connection, frame: InvokeFrame): void {
  const respond = (error: JsonText | undefined, result: JsonText | undefined): void => {
    if (frame.invocationId === undefined || frame.action === 'void') return
    reply(connection, { ...frame, invocationId: frame.invocationId }, error, result)
  }
  const unreadable = inputToJson(frame)
  if (unreadable !== undefined) {
    respond(unreadable, undefined)
    return
  }
  const value: unknown = JSON.parse(frame.data as JsonText)
  if (value !== null && (typeof value !== 'object' || Array.isArray(value))) {
    respond(undecodable(ANNOUNCE_FUNCTION, 'expected an object'), undefined)
    return
  }
  const data = (value ?? {}) as Record<string, unknown>
  const announcement = readAnnouncement(data, engine.limits)
  const fault = namespaceFault(data.namespace, announcement.name ?? '', engine.limits)
  if (fault !== undefined) {
    const fields = { worker_name: announcement.name }
    warnAbout(engine, connection, 'announce', 'announce refused: its namespace cannot be used', fields)
    respond(fault, undefined)
    return
  }
  const declared = typeof data.namespace === 'string' ? data.namespace : undefined
  const namespace = connection.phase === 'resolved' ? connection.namespace : (declared ?? DEFAULT_NAMESPACE)
  if (declared !== undefined && declared !== namespace) {
    const said = 'a worker announced another namespace than the one it is in; it stays where it is'
    warnAbout(engine, connection, 'announce', said, { namespace, declared: shortened(declared) })
  }
  connection.takesSmallMessagesOnly = takesSmallMessagesOnly(announcement, data.features)
  if (Array.isArray(data.features) && data.features.includes(CANCEL_FEATURE)) connection.takesCancel = true
  const { id: workerId } = connection
  // From here on the namespace is decided; what comes meanwhile is held as before.
  connection.cancelGrace()
  connection.announcing = true
  propose(
    engine,
    connection,
    { command: 'announce', workerId, namespace, announcement, insists: false },
    () => {
      const accepted = isLive(connection)
      if (accepted) {
        connection.name = announcement.name
        fixNamespace(engine, connection, namespace)
        // Told last: who hears of the worker finds what it has registered.
        engine.registry.submit({ command: 'announced', workerId })
      }
      respond(undefined, asJsonText(`{"success":${accepted}}`))
    },
  )
}

/** Gives the directory an announce; again, when its name was held and the holder has been looked after (`look.ts`). */
function propose(
  engine: EngineState,
  connection: Connection,
  command: Extract<Command, { command: 'announce' }>,
  decided: () => void,
): void {
  const { signOfLifeMs, threadAnswerMs } = engine.limits
  submit(engine, connection, command, () => {
    if (!connection.nameIsDoubted) {
      decided()
      return
    }
    connection.nameIsDoubted = false
    if (!isLive(connection)) return
    // What waits for the announce goes on waiting.
    connection.unanswered++
    function again(): void {
      connection.doubted = connection.doubted.filter(other => other !== again)
      cancelWait()
      if (isLive(connection)) propose(engine, connection, { ...command, insists: true }, decided)
      connection.unanswered--
    }
    // That thread may be no more.
    const cancelWait = engine.clock.after(signOfLifeMs + threadAnswerMs, again)
    connection.doubted.push(again)
  })
}

/** A refused name ends the connection while its changes are carried out. */
function isLive(connection: Connection): boolean {
  return connection.phase !== 'gone'
}
