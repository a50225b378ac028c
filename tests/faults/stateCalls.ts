/** Writes as calls of the functions of the state, and their answers as those of a partition. */
import { expect } from 'bun:test'
import type { InvocationError } from '../../sdk/typescript/src/mod.ts'
import type { WorkerClient } from '../../sdk/typescript/src/worker.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Command } from '../../src/storage/command.ts'
import type { Level } from '../../src/storage/partition.ts'
import type { Transaction } from './load.ts'
import type { Dump, Reply } from './partitionHost.ts'
import { type Held, placeOf, type Told } from './reference.ts'

export type Outcome = Extract<Reply, { said: 'done' | 'refused' }>

interface Written {
  readonly old_value: unknown
  readonly new_value?: unknown
  readonly version: number
}

interface Answer extends Written {
  readonly results?: readonly Written[]
  readonly revision?: number
  readonly durability: { readonly level: Level }
}

interface Event {
  readonly revision?: number
  readonly event_type: string
  readonly scope: string
  readonly key: string
  readonly old_value: unknown
  readonly new_value: unknown
  readonly reason?: string
}

interface Row {
  readonly key: string
  readonly value: unknown
  readonly version: number
}

interface Item {
  readonly id: string
  readonly data: unknown
  readonly version: number
}

/** What was written has no spaces, so that it is the same text again. */
const textOf = (value: unknown): string | undefined => (value === null ? undefined : JSON.stringify(value))

/** A command as an operation of a transaction; without `op` it is the input of the function of that name. */
export function operationOf(command: Command): Record<string, unknown> {
  if (!('collection' in command) || command.command === 'tell') throw new Error('no write of the state')
  const { collection, key, ifVersion } = command
  const { space, name, group } = collection
  const target = {
    if_version: ifVersion,
    ...(space === 'state' ? { scope: name, key } : { stream_name: name, group_id: group, item_id: key }),
  }
  if (command.command === 'remove') return { op: `${space}::delete`, ...target }
  const expires_at = command.expiresAtMs
  if (command.command === 'put') {
    return { op: `${space}::set`, ...target, value: JSON.parse(command.value), expires_at }
  }
  const ops = command.operations.map(({ type, path, ...operation }) => ({
    type,
    path,
    by: 'by' in operation ? Number(operation.by) : undefined,
  }))
  return { op: 'state::update', ...target, ops, expires_at }
}

/** Of calls of which nobody knows whether they were done, and of those that came too late. */
const UNKNOWN = ['CONNECTION_LOST', 'invocation_stopped', 'engine_stopping', 'function_not_found']

/** `undefined`: whether it was done is not known. */
export async function callState(
  client: WorkerClient,
  id: number,
  { commands, level }: Transaction,
): Promise<Outcome | undefined> {
  const operations = commands.map(operationOf)
  const { op, ...alone } = operations[0]!
  const options = { durability: level, with_meta: true }
  try {
    const answer = await client.trigger<Answer>(
      operations.length === 1
        ? { function_id: op as string, payload: { ...alone, ...options } }
        : { function_id: 'state::transact', payload: { operations, ...options } },
    )
    const results = answer.results ?? [answer]
    return {
      said: 'done',
      id,
      revision: answer.revision,
      level: answer.durability.level,
      answers: results.map(({ old_value, new_value = null, version }) => [
        textOf(old_value) ?? null,
        textOf(new_value) ?? null,
        version,
      ]),
    }
  } catch (error) {
    const { code } = error as InvocationError
    if (code === 'VERSION_CONFLICT' || code === 'STORAGE_UNAVAILABLE') return { said: 'refused', id, code }
    if (UNKNOWN.includes(code)) return undefined
    throw error
  }
}

export function toldOf({ revision = 0, event_type, scope, key, old_value, new_value, reason }: Event): Told {
  return {
    revision,
    place: placeOf({ space: 'state', name: scope, group: '' }, key),
    event: event_type.replace('state:', ''),
    reason,
    oldValue: textOf(old_value),
    newValue: textOf(new_value),
  }
}

async function changesSince(
  client: WorkerClient,
  since: number,
): Promise<{ changes: Told[]; revision: number }> {
  const changes: Told[] = []
  for (let revision = since; ; ) {
    const payload = { since: revision, limit: limits.watchEvents }
    const page = await client.trigger<{ events: Event[]; revision: number }>({
      function_id: 'state::watch',
      payload,
    })
    changes.push(...page.events.map(toldOf))
    revision = page.revision
    if (page.events.length < limits.watchEvents) return { changes, revision }
  }
}

/** Everything that is there; entries do not say which write has created them. */
export async function dumpState(client: WorkerClient, since: number): Promise<Dump> {
  const entries: [string, Held][] = []
  const { groups } = await client.trigger<{ groups: string[] }>({
    function_id: 'state::list_groups',
    payload: {},
  })
  for (const scope of groups) {
    const payload = { scope, with_keys: true }
    const { items } = await client.trigger<{ items: Row[] }>({ function_id: 'state::list', payload })
    for (const { key, value, version } of items) {
      const place = placeOf({ space: 'state', name: scope, group: '' }, key)
      entries.push([place, { value: textOf(value)!, version, createdAt: 0, expiresAtMs: undefined }])
    }
  }
  const payload = { stream_name: 'chat', group_id: 'room', with_ids: true }
  const room = await client.trigger<{ items: Item[] }>({ function_id: 'stream::list', payload })
  for (const { id, data, version } of room.items) {
    const place = placeOf({ space: 'stream', name: 'chat', group: 'room' }, id)
    entries.push([place, { value: textOf(data)!, version, createdAt: 0, expiresAtMs: undefined }])
  }
  try {
    return { entries, messages: [], ...(await changesSince(client, since)) }
  } catch (error) {
    const { code, body } = error as InvocationError
    expect(code).toBe('REVISION_GONE')
    return {
      entries,
      messages: [],
      changes: undefined,
      revision: (body as unknown as { revision: number }).revision,
    }
  }
}
