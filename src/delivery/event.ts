/** Events as conditions look at them. */
import type { JsonText } from '../protocol/jsonText.ts'

/** A number that a double cannot hold has as many digits. */
const LONG_NUMBER = /\d{16}/

interface SourceTextJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown
}

/** The payload of an event as conditions see it: integers beyond 2^53 as they are written. */
export function parseEvent(data: JsonText): unknown {
  if (!LONG_NUMBER.test(data)) return JSON.parse(data)
  return (JSON as unknown as SourceTextJson).parse(data, (_, value, { source }) =>
    typeof value === 'number' &&
    !Number.isSafeInteger(value) &&
    source !== undefined &&
    /^-?\d+$/.test(source)
      ? BigInt(source)
      : value,
  )
}
