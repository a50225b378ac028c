/** Inputs of the `stream::*` functions, read from their text: values stay as they were written. */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { RawJson } from '../../sdk/typescript/src/worker.ts'
import { membersOf, typeOfJson } from '../../src/protocol/json/split.ts'
import { fromJsonText, JSON_NULL, type JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'

export interface Input {
  /** A text that has to be there. */
  text(name: string): string
  optionalText(name: string): string | undefined
  flag(name: string): boolean
  /** A whole number from `least` on. */
  optionalNumber(name: string, least: number): number | undefined
  /** Any value that has to be there. */
  value(name: string): JsonText
  /** The member as it stands in the input. */
  raw(name: string): JsonText | undefined
  refuse(why: string): never
}

export function readInput(functionId: string, { text }: RawJson): Input {
  function refuse(why: string): never {
    throw new HandlerError('deserialization_error', `Failed to deserialize input for ${functionId}: ${why}`)
  }
  const type = typeOfJson(text)
  if (type !== 'object' && type !== 'null') refuse(`expected an object, got ${type}`)
  const members = type === 'null' ? new Map<string, JsonText>() : membersOf(text)
  const given = (name: string): JsonText | undefined => {
    const value = members.get(name)
    return value === JSON_NULL ? undefined : value
  }
  function optionalText(name: string): string | undefined {
    const value = given(name)
    if (value === undefined) return undefined
    if (typeOfJson(value) !== 'string') refuse(`field \`${name}\` must be a string, not ${typeOfJson(value)}`)
    const text = fromJsonText(value) as string
    if (text.length > limits.storedNameLength)
      refuse(`field \`${name}\` has ${text.length} characters, the most are ${limits.storedNameLength}`)
    return text
  }

  return {
    refuse,
    optionalText,
    raw: name => members.get(name),
    text: name => optionalText(name) ?? refuse(`missing field \`${name}\``),
    value: name => members.get(name) ?? refuse(`missing field \`${name}\``),
    flag(name) {
      const value = given(name)
      if (value === undefined) return false
      return typeOfJson(value) === 'boolean'
        ? value === 'true'
        : refuse(`field \`${name}\` must be a boolean`)
    },
    optionalNumber(name, least) {
      const value = given(name)
      if (value === undefined) return undefined
      const number = typeOfJson(value) === 'number' ? Number(value) : Number.NaN
      if (!Number.isSafeInteger(number) || number < least)
        refuse(`field \`${name}\` must be a whole number from ${least} on`)
      return number
    },
  }
}
