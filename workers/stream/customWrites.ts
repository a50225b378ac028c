/** Writes to a stream whose items a worker keeps: its function does it, and the event is made of what it returns. */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import { RawJson } from '../../sdk/typescript/src/worker.ts'
import { asJsonText, JSON_NULL, type JsonText, quote, toJsonText } from '../../src/protocol/jsonText.ts'
import type { Cause } from '../../src/storage/change.ts'
import { applyOperations } from '../../src/storage/update/apply.ts'
import type { UpdateOperation } from '../../src/storage/update/operation.ts'
import { CODES } from './codes.ts'
import { type Custom, type CustomWritten, customInput } from './custom.ts'
import type { Address, Group, StreamStore } from './store.ts'

interface Parts {
  readonly store: StreamStore
  readonly custom: Custom
  readonly cause: Cause
}

export function groupText({ stream, group }: Group): JsonText {
  return customInput(groupMembers({ stream, group }))
}

export function addressText(address: Address): JsonText {
  return customInput(addressMembers(address))
}

function groupMembers({ stream, group }: Group): [string, JsonText][] {
  return [
    ['stream_name', quote(stream)],
    ['group_id', quote(group)],
  ]
}

function addressMembers(address: Address): [string, JsonText][] {
  return [...groupMembers(address), ['item_id', quote(address.item)]]
}

async function toldOfWrite(
  { store, cause }: Parts,
  address: Address,
  written: CustomWritten,
): Promise<RawJson> {
  const kind = written.oldValue === undefined ? 'create' : 'update'
  await store.tell(address, address.item, kind, written.newValue!, cause)
  const errors = written.errors === undefined ? '' : `,"errors":${written.errors}`
  const oldValue = written.oldValue ?? JSON_NULL
  return new RawJson(asJsonText(`{"old_value":${oldValue},"new_value":${written.newValue}${errors}}`))
}

function inTurn<Result>(custom: Custom, { stream, group, item }: Address, task: () => Promise<Result>) {
  return custom.inTurn(stream, group, item, task)
}

export function set(parts: Parts, address: Address, data: JsonText): Promise<RawJson> {
  const { custom } = parts
  return inTurn(custom, address, async () => {
    const input = customInput([...addressMembers(address), ['data', data]])
    return toldOfWrite(parts, address, await custom.write('set', address.stream, input, CODES['stream::set']))
  })
}

export function remove({ store, custom, cause }: Parts, address: Address): Promise<RawJson> {
  return inTurn(custom, address, async () => {
    const code = CODES['stream::delete']
    const { oldValue } = await custom.write('delete', address.stream, addressText(address), code)
    if (oldValue !== undefined) await store.tell(address, address.item, 'delete', oldValue, cause)
    return new RawJson(asJsonText(`{"old_value":${oldValue ?? JSON_NULL}}`))
  })
}

/** Without an `update` of its own: what is there is read, changed and set, while nobody else writes to the item. */
export function update(
  parts: Parts,
  address: Address,
  ops: JsonText,
  operations: readonly UpdateOperation[],
): Promise<RawJson> {
  const { stream } = address
  const { custom } = parts
  const code = CODES['stream::update']
  return inTurn(custom, address, async () => {
    if (await custom.has('update', stream)) {
      const input = customInput([...addressMembers(address), ['ops', ops]])
      return toldOfWrite(parts, address, await custom.write('update', stream, input, code))
    }
    if (!(await custom.has('get', stream)))
      throw new HandlerError(
        code,
        `Failed to update value: stream '${stream}' has a \`set\` of its own and neither \`get\` nor \`update\`: what is there is not known. Register stream::get(${stream}) or stream::update(${stream}).`,
      )
    const before = await read(parts, address)
    const { value, errors } = applyOperations(before, operations)
    const input = customInput([...addressMembers(address), ['data', value]])
    const written = await custom.write('set', stream, input, code)
    return toldOfWrite(parts, address, {
      ...written,
      errors: errors.length === 0 ? undefined : toJsonText(errors),
    })
  })
}

async function read({ custom }: Parts, address: Address): Promise<JsonText | undefined> {
  const value = await custom.ask('get', address.stream, addressText(address))
  return value === JSON_NULL ? undefined : value
}
