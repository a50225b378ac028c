/**
 * Streams whose items a worker keeps: it has functions named `stream::set(<name>)` and so on, which are called in place
 * of the store. One that is missing is done by the store. The events are made here, of what these functions return.
 */
import { HandlerError, InvocationError } from '../../sdk/typescript/src/errors.ts'
import type { BuiltInClient } from '../../sdk/typescript/src/worker.ts'
import type { ErrorBody } from '../../src/protocol/frames.ts'
import { membersOf, typeOfJson } from '../../src/protocol/json/split.ts'
import { asJsonText, JSON_NULL, type JsonText, quote } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'

export type Operation = 'set' | 'get' | 'delete' | 'list' | 'list_groups' | 'update'

export interface Custom {
  has(operation: Operation, stream: string): boolean | Promise<boolean>
  /** Calls it as it is: rejects with its own error; `undefined`: it returned nothing. */
  ask(operation: Operation, stream: string, input: JsonText): Promise<JsonText | undefined>
  /** Calls one that writes, and reads its answer. Rejects with `code` or `JSON_ERROR`. */
  write(
    operation: 'set' | 'delete' | 'update',
    stream: string,
    input: JsonText,
    code: string,
  ): Promise<CustomWritten>
  /** One after the other for each item, so that events are in the order of the writes. */
  inTurn<Result>(stream: string, group: string, item: string, task: () => Promise<Result>): Promise<Result>
}

export interface CustomWritten {
  /** Absent: `null`, or not there. */
  readonly oldValue: JsonText | undefined
  readonly newValue: JsonText | undefined
  readonly errors: JsonText | undefined
}

/** An item is written by one at a time, so it would wait for itself. */
const WAITS =
  '. If it writes to the item it was called for by stream::set, update or delete, it waits for itself'

const nameOf = (operation: Operation, stream: string): string => `stream::${operation}(${stream})`

function failure(error: ErrorBody): HandlerError {
  return new HandlerError(error.code, error.message)
}

/** For a worker in a process of its own, which does not see what the engine knows. */
async function isKnown(client: BuiltInClient, function_id: string): Promise<boolean> {
  try {
    await client.trigger({ function_id: 'engine::functions::info', payload: { function_id } })
    return true
  } catch (error) {
    if (error instanceof InvocationError && error.code === 'NOT_FOUND') return false
    throw error
  }
}

export function createCustom(
  client: BuiltInClient,
  hasFunction: ((id: string) => boolean) | undefined,
): Custom {
  const turns = new Map<string, Promise<unknown>>()

  function ask(operation: Operation, stream: string, data: JsonText): Promise<JsonText | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<JsonText | undefined>()
    client.call(
      {
        functionId: nameOf(operation, stream),
        data,
        namespace: undefined,
        metadata: undefined,
        timeoutMs: limits.callTimeoutMs,
        traceparent: undefined,
        baggage: undefined,
      },
      (error, result) => (error === undefined ? resolve(result) : reject(failure(error))),
    )
    return promise
  }

  return {
    has(operation, stream) {
      const name = nameOf(operation, stream)
      return hasFunction === undefined ? isKnown(client, name) : hasFunction(name)
    },
    ask,

    async write(operation, stream, input, code) {
      let result: JsonText | undefined
      try {
        result = await ask(operation, stream, input)
      } catch (error) {
        const { code: theirs, message } = error as HandlerError
        throw new HandlerError(
          code,
          `Failed to ${operation} value: Failed to invoke function: ${theirs}: ${message}${theirs === 'invocation_timeout' ? WAITS : ''}`,
        )
      }
      if (result === undefined)
        throw new HandlerError(code, `Failed to ${operation} value: Function returned no result`)
      return readWritten(operation, result)
    },

    inTurn(stream, group, item, task) {
      const key = JSON.stringify([stream, group, item])
      const done = (turns.get(key) ?? Promise.resolve()).then(task)
      const over = done
        .catch(() => {})
        .then(() => {
          if (turns.get(key) === over) turns.delete(key)
        })
      turns.set(key, over)
      return done
    },
  }
}

function readWritten(operation: 'set' | 'delete' | 'update', result: JsonText): CustomWritten {
  const wrong = (why: string): never => {
    throw new HandlerError('JSON_ERROR', `Failed to convert result to value: ${why}`)
  }
  if (typeOfJson(result) !== 'object') return wrong(`expected an object, got ${typeOfJson(result)}`)
  const members = membersOf(result)
  const newValue = members.get('new_value')
  if (operation !== 'delete' && newValue === undefined) return wrong('missing field `new_value`')
  const oldValue = members.get('old_value')
  const errors = members.get('errors')
  return { oldValue: oldValue === JSON_NULL ? undefined : oldValue, newValue, errors }
}

/** Input of an override: what its caller said, without who it was. */
export function customInput(members: readonly (readonly [string, JsonText | undefined])[]): JsonText {
  const given = members.filter(([, value]) => value !== undefined)
  return asJsonText(`{${given.map(([name, value]) => `${quote(name)}:${value}`).join(',')}}`)
}
