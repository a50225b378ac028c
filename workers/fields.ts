/**
 * Inputs of functions, read from their text: each field says what it takes and how discovery shows it. Values are
 * slices of the text and stay as they were written. Unknown fields are ignored, unless a shape is exact, and `null` is nothing.
 */
import { HandlerError } from '../sdk/typescript/src/errors.ts'
import { nearestMember } from '../src/log/nearest.ts'
import { shortened } from '../src/log/notices.ts'
import { elementsOf, membersOf, typeOfJson } from '../src/protocol/json/split.ts'
import { fromJsonText, JSON_NULL, type JsonText } from '../src/protocol/jsonText.ts'
import { limits } from '../src/protocol/limits.ts'

export type JsonSchema = Readonly<Record<string, unknown>>

/** Throws a `HandlerError` with this as its reason. */
export type Refuse = (why: string) => never

export interface Field<Value> {
  readonly schema: JsonSchema
  readonly isRequired: boolean
  /** `null` is a value like any other. */
  readonly takesNull: boolean
  /** `given`: absent when there is nothing. `name`: as it is called in messages. */
  read(given: JsonText | undefined, name: string, refuse: Refuse): Value
}

export type Fields = Readonly<Record<string, Field<unknown>>>
export type Read<Of extends Fields> = {
  readonly [name in keyof Of]: Of[name] extends Field<infer Value> ? Value : never
}

function optional<Value>(
  schema: JsonSchema,
  read: (given: JsonText, name: string, refuse: Refuse) => Value,
): Field<Value | undefined> {
  return {
    schema,
    isRequired: false,
    takesNull: false,
    read: (given, name, refuse) => (given === undefined ? undefined : read(given, name, refuse)),
  }
}

export function required<Value>({ schema, takesNull, read }: Field<Value | undefined>): Field<Value> {
  return {
    schema,
    isRequired: true,
    takesNull,
    read: (given, name, refuse) => read(given, name, refuse) ?? refuse(`missing field \`${name}\``),
  }
}

export function text(description: string): Field<string | undefined> {
  return optional({ type: 'string', description }, (given, name, refuse) => {
    const type = typeOfJson(given)
    if (type !== 'string') refuse(`field \`${name}\`: expected a string, got ${type}`)
    // Almost no name has an escape.
    const value = given.includes('\\') ? (fromJsonText(given) as string) : given.slice(1, -1)
    if (value.length > limits.storedNameLength)
      refuse(`field \`${name}\` has ${value.length} characters, the most are ${limits.storedNameLength}`)
    return value
  })
}

export function flag(description: string): Field<boolean> {
  return {
    schema: { type: 'boolean', description },
    isRequired: false,
    takesNull: false,
    read(given, name, refuse) {
      if (given === undefined) return false
      if (typeOfJson(given) === 'boolean') return given === 'true'
      return refuse(`field \`${name}\`: expected true or false, got ${typeOfJson(given)}`)
    },
  }
}

export function whole(
  description: string,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): Field<number | undefined> {
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least} on` : `from ${least} to ${most}`
  const bound = most === Number.MAX_SAFE_INTEGER ? {} : { maximum: most }
  return optional({ type: 'integer', minimum: least, ...bound, description }, (given, name, refuse) => {
    const value = typeOfJson(given) === 'number' ? Number(given) : Number.NaN
    if (Number.isSafeInteger(value) && value >= least && value <= most) return value
    return refuse(`field \`${name}\`: expected a whole number ${range}, got ${given.slice(0, 40)}`)
  })
}

export function choice<const Choice extends string>(
  description: string,
  choices: readonly Choice[],
): Field<Choice | undefined> {
  return optional({ enum: choices, description }, (given, name, refuse) => {
    const value = typeOfJson(given) === 'string' ? fromJsonText(given) : undefined
    const found = choices.find(choice => choice === value)
    return (
      found ?? refuse(`field \`${name}\`: expected one of ${choices.join(', ')}, got ${given.slice(0, 40)}`)
    )
  })
}

/** Any value, `null` included. */
export function value(description: string): Field<JsonText | undefined> {
  return { schema: { description }, isRequired: false, takesNull: true, read: given => given }
}

/** An array, as the texts of its elements. */
export function list(description: string, items: JsonSchema): Field<JsonText[] | undefined> {
  return optional({ type: 'array', items, description }, (given, name, refuse) => {
    if (typeOfJson(given) !== 'array')
      refuse(`field \`${name}\`: expected an array, got ${typeOfJson(given)}`)
    return elementsOf(given)
  })
}

export type Members = ReadonlyMap<string, JsonText>

/** The members of an input; nothing is as good as no members. */
export function readMembers(given: JsonText, refuse: Refuse): Map<string, JsonText> {
  const type = typeOfJson(given)
  if (type === 'null') return new Map()
  return type === 'object' ? membersOf(given) : refuse(`expected an object, got ${type}`)
}

export interface Shape<Of extends Fields> {
  /** JSON Schema. */
  readonly format: JsonSchema
  read(members: Members, refuse: Refuse): Read<Of>
}

/** Names of members that the engine puts beside what the caller has written begin with it. */
const OF_ENGINE = '_'

function refuseUnknown(
  members: Members,
  known: readonly string[],
  ignored: readonly string[],
  refuse: Refuse,
): void {
  for (const name of members.keys()) {
    if (known.includes(name) || ignored.includes(name) || name.startsWith(OF_ENGINE)) continue
    const nearest = nearestMember(name, known)
    const advice = nearest === undefined ? `known are ${known.join(', ')}` : `did you mean \`${nearest}\`?`
    refuse(`unknown field \`${shortened(name)}\`; ${advice}`)
  }
}

export interface ShapeOptions {
  /** Fields that it does not know are refused. */
  readonly isExact?: boolean
  /** But not these. */
  readonly ignored?: readonly string[]
}

export function shape<const Of extends Fields>(
  fields: Of,
  { isExact = false, ignored = [] }: ShapeOptions = {},
): Shape<Of> {
  const known = Object.keys(fields).filter(name => !name.startsWith(OF_ENGINE))
  const entries = Object.entries(fields)
  const needed = entries.filter(([, field]) => field.isRequired).map(([name]) => name)
  return {
    format: {
      type: 'object',
      properties: Object.fromEntries(entries.map(([name, { schema }]) => [name, schema])),
      ...(needed.length === 0 ? {} : { required: needed }),
      ...(isExact && ignored.length === 0 ? { additionalProperties: false } : {}),
    },
    read(members, refuse) {
      if (isExact) refuseUnknown(members, known, ignored, refuse)
      const read: Record<string, unknown> = {}
      for (const [name, field] of entries) {
        const member = members.get(name)
        const isNothing = member === JSON_NULL && !field.takesNull
        read[name] = field.read(isNothing ? undefined : member, name, refuse)
      }
      return read as Read<Of>
    },
  }
}

export function refusing(functionId: string): Refuse {
  return why => {
    throw new HandlerError('deserialization_error', `Failed to deserialize input for ${functionId}: ${why}`)
  }
}
