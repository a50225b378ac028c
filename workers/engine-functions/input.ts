/** What the discovery functions have in common: fields of their inputs, refusals, pages. */
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
