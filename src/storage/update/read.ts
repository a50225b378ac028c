/** Reads the operations of an update from the text of `ops`. */
import { elementsOf, membersOf, typeOfJson } from '../../protocol/json/split.ts'
import { fromJsonText, type JsonText } from '../../protocol/jsonText.ts'
import type { Path, UpdateOperation } from './operation.ts'

/** What is wrong with the operations of an update; the call fails with `deserialization_error` and this text. */
export class MalformedOperations extends Error {}

type Members = ReadonlyMap<string, JsonText>

const NAMES = ['set', 'merge', 'increment', 'decrement', 'append', 'remove'] as const
const INTEGER = /^-?\d{1,19}$/
const LEAST_BY = -(2n ** 63n)
const MOST_BY = 2n ** 63n - 1n

function present(members: Members, name: string, place: string): JsonText {
  const value = members.get(name)
  if (value === undefined) throw new MalformedOperations(`${place}: missing field \`${name}\``)
  return value
}

function readKey(members: Members, place: string): string {
  const path = present(members, 'path', place)
  if (typeOfJson(path) === 'string') return fromJsonText(path) as string
  throw new MalformedOperations(
    `${place}: \`path\` must be a string, which is one key or empty for the root, not ${typeOfJson(path)}`,
  )
}

function readPath(members: Members, place: string): Path | undefined {
  const path = members.get('path')
  if (path === undefined || path === 'null') return undefined
  const type = typeOfJson(path)
  if (type === 'string') return fromJsonText(path) as string
  if (type === 'array') {
    const segments = elementsOf(path)
    if (segments.every(segment => typeOfJson(segment) === 'string'))
      return segments.map(segment => fromJsonText(segment) as string)
  }
  throw new MalformedOperations(`${place}: \`path\` must be a string or an array of strings`)
}

function readBy(members: Members, place: string): bigint {
  const by = present(members, 'by', place)
  const value = INTEGER.test(by) ? BigInt(by) : undefined
  if (value === undefined || value < LEAST_BY || value > MOST_BY) {
    throw new MalformedOperations(`${place}: \`by\` must be an integer of 64 bits`)
  }
  return value
}

function readOperation(text: JsonText, place: string): UpdateOperation {
  if (typeOfJson(text) !== 'object') throw new MalformedOperations(`${place} must be an object`)
  const members = membersOf(text)
  const type = present(members, 'type', place)
  const name = typeOfJson(type) === 'string' ? (fromJsonText(type) as (typeof NAMES)[number]) : undefined
  switch (name) {
    case 'set':
      return { type: name, path: readKey(members, place), value: members.get('value') }
    case 'remove':
      return { type: name, path: readKey(members, place) }
    case 'increment':
    case 'decrement':
      return { type: name, path: readKey(members, place), by: readBy(members, place) }
    case 'merge':
    case 'append':
      return { type: name, path: readPath(members, place), value: present(members, 'value', place) }
    default:
      throw new MalformedOperations(
        `${place}: unknown operation ${type.slice(0, 100)}, expected one of ${NAMES.join(', ')}`,
      )
  }
}

/** `field`: how the text is called in messages. Throws a `MalformedOperations`. */
export function readOperations(text: JsonText, field = 'ops'): UpdateOperation[] {
  if (typeOfJson(text) !== 'array') throw new MalformedOperations(`\`${field}\` must be an array`)
  return elementsOf(text).map((element, index) => readOperation(element, `${field}[${index}]`))
}
