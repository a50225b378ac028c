/** Inputs of the discovery functions: `null` counts as `{}`, unknown keys are ignored, wrong types are refused. */
import { z } from 'zod'
import { HandlerError } from '../../sdk/typescript/src/errors.ts'

export const optionalText = z.string().nullish()
export const optionalFlag = z.boolean().nullish()

/** `limit` rows from after `cursor`; without them everything is returned. */
export const paging = { limit: z.int().min(1).nullish(), cursor: optionalText }

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

/** Cuts a sorted list; `key` gives the value a cursor names. */
export function page<Row>(
  rows: Row[],
  key: (row: Row) => string,
  limit: number | null | undefined,
  cursor: string | null | undefined,
): { rows: Row[]; next_cursor?: string } {
  const after = cursor === null || cursor === undefined ? 0 : rows.findIndex(row => key(row) === cursor) + 1
  if (limit === null || limit === undefined) return { rows: rows.slice(after) }
  const part = rows.slice(after, after + limit)
  const last = part[part.length - 1]
  return last === undefined || after + limit >= rows.length
    ? { rows: part }
    : { rows: part, next_cursor: key(last) }
}

export function byText<Row>(key: (row: Row) => string): (a: Row, b: Row) => number {
  return (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0)
}

export function includesFolded(text: string | undefined, term: string): boolean {
  return text?.toLowerCase().includes(term) === true
}
