/** Inputs of the discovery functions: `null` counts as `{}`, unknown keys are ignored, wrong types are refused. */
import { z } from 'zod'
import { HandlerError } from '../../sdk/typescript/src/errors.ts'

/** Fields with what they mean, which the functions tell as their `request_format`. */
export const optionalText = (means: string) => z.string().nullish().describe(means)
export const optionalFlag = (means: string) => z.boolean().nullish().describe(means)

/** `limit` rows from after `cursor`; without them everything is returned. */
export const paging = {
  limit: z.int().min(1).nullish().describe('rows of one page; all without it'),
  cursor: optionalText('`next_cursor` of the page before'),
}

/** The input as JSON Schema. That `null` counts as left out is not worth a line of every field. */
export function requestFormat(input: z.ZodObject): unknown {
  const { $schema: _, ...format } = z.toJSONSchema(input, {
    io: 'input',
    override({ jsonSchema }) {
      const [meant, other] = jsonSchema.anyOf ?? []
      if (meant === undefined || other?.type !== 'null') return
      delete jsonSchema.anyOf
      Object.assign(jsonSchema, meant)
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
    },
  })
  return format
}

export function readInput<Shape extends z.ZodRawShape>(
  functionId: string,
  shape: z.ZodObject<Shape>,
  input: unknown,
): z.infer<z.ZodObject<Shape>> {
  const result = shape.safeParse(input ?? {})
  if (result.success) return result.data
  const [issue] = result.error.issues
  const where = issue?.path.length ? `field \`${issue.path.join('.')}\`: ` : ''
  throw new HandlerError(
    'deserialization_error',
    `Failed to deserialize input for ${functionId}: ${where}${issue?.message ?? 'unreadable'}`,
  )
}

export function notFound(message: string): HandlerError {
  return new HandlerError('NOT_FOUND', message)
}

export function invalidArguments(message: string): HandlerError {
  return new HandlerError('INVALID_ARGUMENTS', message)
}

/**
 * Sorts rows by a text and cuts a page out: at most `limit` rows from after the place the cursor names. The cursor is
 * that place in the order, not a row, so that a page follows the one before even when rows have come or gone.
 */
export function page<Row>(
  rows: readonly Row[],
  key: (row: Row) => string,
  limit: number | null | undefined,
  cursor: string | null | undefined,
): { rows: Row[]; next_cursor?: string } {
  const sorted = rows.map(row => ({ row, key: key(row) })).sort(byText(entry => entry.key))
  const after = cursor ? Buffer.from(cursor, 'base64url').toString() : undefined
  const rest = after === undefined ? sorted : sorted.filter(entry => entry.key > after)
  const part = limit ? rest.slice(0, limit) : rest
  const last = part[part.length - 1]
  const result = part.map(entry => entry.row)
  return last === undefined || part.length === rest.length
    ? { rows: result }
    : { rows: result, next_cursor: Buffer.from(last.key).toString('base64url') }
}

export function byText<Row>(key: (row: Row) => string): (a: Row, b: Row) => number {
  return (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0)
}

export function includesFolded(text: string | undefined, term: string): boolean {
  return text?.toLowerCase().includes(term) === true
}
