/**
 * Inputs that a zod schema describes, for workers of the main thread: `null` counts as `{}`, unknown keys are ignored, wrong
 * types are refused. Other threads load no zod; `fields.ts` is for them.
 */
import { z } from 'zod'
import { HandlerError } from '../sdk/typescript/src/errors.ts'
import { shortened } from '../src/log/notices.ts'

/** What zod says of a wrong field may hold what was given there. */
const REASON_CHARACTERS = 200

/** Throws `deserialization_error`. */
export function readInput<Shape extends z.ZodRawShape>(
  functionId: string,
  shape: z.ZodObject<Shape>,
  input: unknown,
): z.infer<z.ZodObject<Shape>> {
  const result = shape.safeParse(input ?? {})
  if (result.success) return result.data
  const [issue] = result.error.issues
  const where = issue?.path.length ? `field \`${issue.path.join('.')}\`: ` : ''
  const reason = shortened(issue?.message ?? 'unreadable', REASON_CHARACTERS)
  throw new HandlerError(
    'deserialization_error',
    `Failed to deserialize input for ${functionId}: ${where}${reason}`,
  )
}

/**
 * The input as JSON Schema, without what the engine adds (`_caller_worker_id`). That `null` counts as left out is not worth a
 * line of every field.
 */
export function requestFormat(input: z.ZodObject): unknown {
  const { $schema: _, ...format } = z.toJSONSchema(input, {
    io: 'input',
    unrepresentable: 'any',
    override({ jsonSchema }) {
      delete jsonSchema.properties?._caller_worker_id
      const [meant, other] = jsonSchema.anyOf ?? []
      if (meant === undefined || other?.type !== 'null') return
      delete jsonSchema.anyOf
      Object.assign(jsonSchema, meant)
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
    },
  })
  return format
}
