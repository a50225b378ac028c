/**
 * JSON that keeps its numbers: `12345678901234567890` and `1.0` come out as they went in. The command line reads
 * what a person typed and shows what a function answered; neither may be rounded on the way.
 */

/** Not in the type library yet: the source text of a number, and a value that is written as given. */
interface SourceTextJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown
  rawJSON(text: string): unknown
  isRawJSON(value: unknown): boolean
}

const json = JSON as unknown as SourceTextJson

/** Throws a `SyntaxError`. Numbers that a double cannot hold as written become raw JSON. */
export function parseExact(text: string): unknown {
  return json.parse(text, (_, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source
      ? json.rawJSON(source)
      : value,
  )
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !json.isRawJSON(value)
}

export function prettyJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2)
}
