/**
 * What a command makes of an entry: a pure function of the entry as it is and of what is wanted. Whoever calls these
 * checks values against the schema, stores what comes out and tells of it.
 */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import { shortened } from '../../src/log/notices.ts'
import { limits } from '../../src/protocol/limits.ts'
import { type ConfigurationEvent, type Deed, type Entry, isEntry, type Kept, type Past } from './entry.ts'
import { isDeeper, isSame, type Json, mergePatch, unfitness } from './json.ts'

export interface Registering {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly schema: Json
  /** `undefined`: the stored value stays. */
  readonly value: Json | undefined
  /** The stored value stays, unless it is `null`: what it is without any. */
  readonly keepsValue: boolean
  readonly metadata: Json | undefined
  /** Who registers it. */
  readonly registrant: string | undefined
}

export interface Decision {
  readonly entry: Entry
  readonly event: ConfigurationEvent
  /** Nothing has changed: there is nothing to store, though it is told. */
  readonly isSame: boolean
}

/** Bounds of the history of one entry. */
export interface HistoryBounds {
  readonly values: number
  readonly bytes: number
}

/** Names of workers kept with an entry. */
const MOST_REGISTRANTS = 16
const ID = /^[a-z0-9_-]{1,64}$/

export function isId(id: string): boolean {
  return ID.test(id)
}

export function requireId(id: string): void {
  if (isId(id)) return
  throw new HandlerError(
    'INVALID_ID',
    `invalid configuration id '${shortened(id)}': must match [a-z0-9_-]{1,64}`,
  )
}

export function notFound(id: string): HandlerError {
  return new HandlerError('NOT_FOUND', `configuration '${shortened(id)}' not found`)
}

export function requireRegistered(id: string, kept: Kept | undefined): Entry {
  if (isEntry(kept)) return kept
  const shown = shortened(id)
  throw new HandlerError(
    'NOT_REGISTERED',
    `configuration '${shown}' is not registered; call configuration::register first`,
  )
}

export function requireSchema({ id, schema }: Entry): Json {
  if (schema !== undefined) return schema
  throw new HandlerError(
    'SCHEMA_UNAVAILABLE',
    `configuration '${id}' has no schema available yet; the owning worker must register before values can be set`,
  )
}

export function schemaInvalid(problems: readonly string[]): HandlerError {
  return new HandlerError('SCHEMA_INVALID', `schema validation failed: ${problems.join('; ')}`)
}

export function requireRevision(entry: { id: string; revision: number }, expected: number | undefined): void {
  if (expected === undefined || expected === entry.revision) return
  throw new HandlerError(
    'REVISION_CONFLICT',
    `configuration '${entry.id}' is at revision ${entry.revision}, not ${expected}; get it again and decide anew`,
    { revision: entry.revision },
  )
}

/** Refuses what cannot be kept, whatever the schema says. */
export function requireFit(what: string, value: Json | undefined, mostBytes: number): void {
  if (value === undefined) return
  const wrong = unfitness(value, limits.configurationDepth)
  if (wrong !== undefined) throw schemaInvalid([what === 'value' ? wrong : `${what}: ${wrong}`])
  requireSmall(what, value, mostBytes)
}

/** Digits that a bound in a schema loses are no reason to refuse it. */
export function requireFitSchema(schema: Json): void {
  if (isDeeper(schema, limits.configurationSchemaDepth)) {
    throw schemaInvalid([
      `/: the schema itself is nested more than ${limits.configurationSchemaDepth} levels deep`,
    ])
  }
  requireSmall('schema', schema, limits.configurationSchemaBytes)
}

function requireSmall(what: string, value: Json, mostBytes: number): void {
  const bytes = Buffer.byteLength(JSON.stringify(value))
  if (bytes <= mostBytes) return
  throw new HandlerError(
    'VALUE_TOO_LARGE',
    `the ${what} has ${bytes} bytes as JSON, and may have ${mostBytes}`,
  )
}

export function decideRegister(
  kept: Kept | undefined,
  wanted: Registering,
  deed: Deed,
  bounds: HistoryBounds,
): Decision {
  const { id, name, description, schema, metadata } = wanted
  const before = isEntry(kept) ? kept : undefined
  const stored = before?.value ?? null
  const value = wanted.keepsValue && stored !== null ? stored : (wanted.value ?? stored)
  const registrants = registrantsOf(before, wanted)
  const formerSchema = formerSchemaOf(before, wanted)
  const same =
    before !== undefined &&
    before.name === name &&
    before.description === description &&
    isSame(before.schema, schema) &&
    isSame(before.metadata, metadata) &&
    isSame(before.value, value)
  const revision = same ? before.revision : (kept?.revision ?? 0) + 1
  const history = withPast(
    before?.history ?? [],
    { revision, value, how: 'register', isLost: false, ...deed },
    bounds,
  )
  const about = { id, name, description, schema, formerSchema, metadata }
  const entry: Entry = { ...about, value, revision, registrants, history }
  const type = before === undefined ? 'configuration:registered' : 'configuration:updated'
  return {
    entry,
    event: { type, entry, oldValue: before?.value ?? null, newValue: value },
    isSame:
      same && isSame(before.formerSchema, formerSchema) && isSame([...before.registrants], [...registrants]),
  }
}

export function decideValue(
  before: Entry,
  value: Json,
  how: Past['how'],
  deed: Deed,
  bounds: HistoryBounds,
): Decision {
  const revision = before.revision + 1
  const history = withPast(before.history, { revision, value, how, isLost: false, ...deed }, bounds)
  const entry: Entry = { ...before, value, revision, history }
  const event = { type: 'configuration:updated' as const, entry, oldValue: before.value, newValue: value }
  return { entry, event, isSame: false }
}

export function patched(before: Entry, patch: Json): Json {
  return mergePatch(before.value, patch)
}

/** What somebody has written into the file of an entry. */
export interface Edit {
  readonly name: string | undefined
  readonly description: string | undefined
  readonly value: Json
  readonly metadata: Json | undefined
}

export function decideEdit(
  id: string,
  kept: Kept | undefined,
  edit: Edit,
  atMs: number,
  bounds: HistoryBounds,
): Decision {
  const before = isEntry(kept) ? kept : undefined
  const revision = (kept?.revision ?? 0) + 1
  const past: Past = { revision, value: edit.value, atMs, author: 'file', how: 'edit', isLost: false }
  const entry: Entry = {
    id,
    name: edit.name ?? before?.name ?? id,
    description: edit.description ?? before?.description ?? '',
    schema: before?.schema,
    formerSchema: before?.formerSchema,
    value: edit.value,
    metadata: edit.metadata,
    revision,
    registrants: before?.registrants ?? [],
    history: withPast(before?.history ?? [], past, bounds),
  }
  const type = before === undefined ? 'configuration:registered' : 'configuration:updated'
  return {
    entry,
    event: { type, entry, oldValue: before?.value ?? null, newValue: edit.value },
    isSame: false,
  }
}

/** The entry with an edit of its file that a write at the same time has replaced. */
export function withLostEdit(entry: Entry, value: Json, atMs: number, bounds: HistoryBounds): Entry {
  const lost: Past = { revision: entry.revision + 1, value, atMs, author: 'file', how: 'edit', isLost: true }
  return { ...entry, revision: lost.revision, history: trimmed([...entry.history, lost], bounds) }
}

/** The value that was in force at a revision: that of the last change of the value up to it. */
export function valueAt(entry: Entry, revision: number): Json {
  const past = entry.history.findLast(
    each => each.revision <= revision && (!each.isLost || each.revision === revision),
  )
  if (past !== undefined && revision <= entry.revision) return past.value
  const known = entry.history.map(each => each.revision).join(', ')
  throw new HandlerError(
    'NOT_FOUND',
    `revision ${revision} of configuration '${entry.id}' is not kept; there are ${known}`,
  )
}

/**
 * Who registers an entry that is somebody else's sees no secrets by that, unless it is the same program under another name
 * (the same schema: names of clients may have the number of their process in them), or brings the value itself.
 */
function registrantsOf(before: Entry | undefined, { registrant, schema, value, keepsValue }: Registering) {
  if (before === undefined) return withRegistrant([], registrant)
  const belongs =
    before.registrants.length === 0 ||
    isRegistrant(before, registrant) ||
    before.value === null ||
    // Whoever leaves the value as it is has brought none.
    (value !== undefined && !keepsValue) ||
    isSame(before.schema, schema)
  return belongs ? withRegistrant(before.registrants, registrant) : before.registrants
}

/** Its secrets stay secrets until one of its registrants says otherwise. */
function formerSchemaOf(before: Entry | undefined, { registrant, schema }: Registering): Json | undefined {
  if (before === undefined || isRegistrant(before, registrant)) return undefined
  return isSame(before.schema, schema) ? before.formerSchema : (before.formerSchema ?? before.schema)
}

function isRegistrant({ registrants }: Entry, name: string | undefined): boolean {
  return name !== undefined && registrants.includes(name)
}

function withRegistrant(registrants: readonly string[], name: string | undefined): readonly string[] {
  if (name === undefined || registrants.at(-1) === name) return registrants
  return [...registrants.filter(each => each !== name), name].slice(-MOST_REGISTRANTS)
}

/** A value that is the one before it again is no news. */
function withPast(history: readonly Past[], past: Past, bounds: HistoryBounds): readonly Past[] {
  const last = history.findLast(each => !each.isLost)
  return last !== undefined && isSame(last.value, past.value) ? history : trimmed([...history, past], bounds)
}

function trimmed(history: readonly Past[], { values, bytes }: HistoryBounds): readonly Past[] {
  const kept: Past[] = []
  let room = bytes
  for (const past of history.toReversed()) {
    room -= JSON.stringify(past.value).length
    // The value in force stays in any case.
    if (kept.length > 0 && (kept.length >= values || room < 0)) break
    kept.unshift(past)
  }
  return kept
}
