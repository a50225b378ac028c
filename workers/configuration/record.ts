/**
 * What the store keeps beside the file of an entry, as JSON: schema, revision, history, and which text of the file it
 * belongs to.
 */
import { z } from 'zod'
import type { Kept } from './entry.ts'
import { isEntry } from './entry.ts'
import type { Json } from './json.ts'

/** A hash of the text of a file; `null`: there is none. */
export type Fingerprint = string | null

export interface Record {
  readonly kept: Kept
  /** The file as it is when the record is in force. */
  readonly file: Fingerprint
}

export function fingerprint(text: string | undefined): Fingerprint {
  if (text === undefined) return null
  return new Bun.CryptoHasher('sha256').update(text).digest('hex')
}

const json = z.custom<Json>(value => value !== undefined)
const revision = z.int().min(1)

const pastSchema = z.object({
  revision,
  value: json,
  atMs: z.number(),
  author: z.string(),
  how: z.enum(['register', 'set', 'patch', 'rollback', 'edit']),
  isLost: z.boolean(),
})

const common = { format: z.literal(1), id: z.string(), revision, file: z.string().nullable() }

const recordSchema = z.union([
  z.object({
    ...common,
    name: z.string(),
    description: z.string(),
    schema: json.optional(),
    formerSchema: json.optional(),
    value: json,
    metadata: json.optional(),
    registrants: z.array(z.string()),
    history: z.array(pastSchema).min(1),
  }),
  z.object({ ...common, deleted: z.literal(true) }),
])

export function writeRecord({ kept, file }: Record): string {
  const rest = isEntry(kept) ? kept : { ...kept, deleted: true }
  return `${JSON.stringify({ format: 1, file, ...rest })}\n`
}

/** `undefined`: it cannot be read, or belongs to another entry. */
export function readRecord(id: string, text: string): Record | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return undefined
  }
  const result = recordSchema.safeParse(parsed)
  if (!result.success || result.data.id !== id) return undefined
  const { format: _, file, ...rest } = result.data
  if ('deleted' in rest) return { kept: { id, revision: rest.revision }, file }
  const { schema, formerSchema, metadata } = rest
  return { kept: { ...rest, schema, formerSchema, metadata }, file }
}

/** The two places where records of an entry are written in turn; the one in force is never written over. */
export type Place = 'a' | 'b'

/**
 * Which of two records is in force, after an end at any moment of a write: first the other place gets the new record, then
 * the file changes. So the file decides.
 *
 *     it belongs to one of them    that one; the other is older, or of a write that did not come to the file
 *     it belongs to both           the newer one: the write did not change the file
 *     it belongs to neither        the newer one: the file has been edited since
 */
export function placeInForce(
  records: Readonly<{ [place in Place]: Record | undefined }>,
  file: Fingerprint,
): Place | undefined {
  const { a, b } = records
  if (a === undefined || b === undefined) return a !== undefined ? 'a' : b !== undefined ? 'b' : undefined
  const newer = b.kept.revision > a.kept.revision ? 'b' : 'a'
  if ((a.file === file) === (b.file === file)) return newer
  return a.file === file ? 'a' : 'b'
}
