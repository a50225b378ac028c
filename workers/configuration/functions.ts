/** The functions `configuration::*`: inputs, who sees what, answers. */
import { z } from 'zod'
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { WorkerClient } from '../../sdk/typescript/src/worker.ts'
import type { Cause } from '../../src/delivery/depth.ts'
import { shortened } from '../../src/log/notices.ts'
import { limits } from '../../src/protocol/limits.ts'
import { notFound } from './decide.ts'
import type { Asker, Entry } from './entry.ts'
import type { Json } from './json.ts'
import type { Reading } from './reading.ts'
import type { Registry } from './registry.ts'
import { maskSecrets } from './secrets.ts'

export interface Caller {
  /** As it announces itself; in another namespace than `default` with that before it: `shop/orders`. */
  readonly name: string
  readonly builtIn: boolean
}

/** Who a worker id belongs to; `undefined`: nobody who has said a name. */
export type FindCaller = (workerId: string) => Caller | undefined

export interface FunctionParts {
  readonly registry: Registry
  readonly reading: Reading
  readonly findCaller: FindCaller
  readonly revealTo: ReadonlySet<string>
  /** Somebody has used an entry. */
  readonly used: (id: string) => void
}

const id = z.string().describe('of the configuration')
const anything = z.custom<Json>(value => value !== undefined, { error: 'it is missing' })
const ifRevision = z.int().min(0).nullish().describe('refused when the entry has another revision')
const text = z.string().max(limits.configurationTextBytes)
/** Set by the engine. */
const _caller_worker_id = z.string().nullish()

const registerInput = z.object({
  id,
  name: text,
  description: text,
  schema: anything.describe('JSON Schema of the value'),
  initial_value: z.unknown().optional().describe('the value; without it a stored one stays'),
  metadata: z.unknown().optional().describe('kept and shown'),
  if_revision: ifRevision,
  _caller_worker_id,
})
const setInput = z.object({
  id,
  value: anything.describe('the whole value'),
  if_revision: ifRevision,
  _caller_worker_id,
})
const patchInput = z.object({
  id,
  patch: anything.describe('JSON Merge Patch: objects are merged, null removes a key'),
  if_revision: ifRevision,
  _caller_worker_id,
})
const rollbackInput = z.object({ id, revision: z.int().min(1), if_revision: ifRevision, _caller_worker_id })
const deleteInput = z.object({ id, if_revision: ifRevision, _caller_worker_id })
const getInput = z.object({
  id,
  raw: z.boolean().nullish().describe('placeholders are not replaced'),
  _caller_worker_id,
})
const historyInput = z.object({ id, limit: z.int().min(1).nullish(), _caller_worker_id })
const schemaInput = z.object({ id })
const listInput = z.object({})

function readInput<Shape extends z.ZodRawShape>(
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
    `Failed to deserialize input for ${functionId}: ${where}${shortened(issue?.message ?? 'unreadable', 200)}`,
  )
}

/** The input as JSON Schema, without what the engine adds and what every field may also be: `null`. */
function requestFormat(input: z.ZodObject): unknown {
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

function optional(metadata: Json | undefined): { metadata?: Json } {
  return metadata === undefined ? {} : { metadata }
}

function summaryOf({ id, name, description, schema, metadata }: Entry) {
  return { id, name, description, schema: schema ?? null, ...optional(metadata) }
}

export function registerFunctions(client: WorkerClient, parts: FunctionParts): void {
  const { registry, reading, findCaller, revealTo, used } = parts

  /** `builtIn` and names only: an id of a connection says nothing once that is gone. */
  function callerOf(workerId: string | null | undefined): Caller | undefined {
    return workerId ? findCaller(workerId) : undefined
  }

  function askerOf(workerId: string | null | undefined, cause: Cause): Asker {
    return { author: callerOf(workerId)?.name ?? 'unknown', cause }
  }

  function mayReveal(entry: Entry, workerId: string | null | undefined): boolean {
    const caller = callerOf(workerId)
    if (caller === undefined) return false
    return caller.builtIn || entry.registrants.includes(caller.name) || revealTo.has(caller.name)
  }

  /** A stored value as this caller may see it: placeholders stay. */
  function stored(entry: Entry, value: Json, workerId: string | null | undefined): Json {
    return mayReveal(entry, workerId) ? value : maskSecrets(value, entry.schema, true)
  }

  function requireEntry(asked: string): Entry {
    const entry = registry.find(asked)
    if (entry === undefined) throw notFound(asked)
    used(asked)
    return entry
  }

  function add<Shape extends z.ZodRawShape>(
    name: string,
    description: string,
    input: z.ZodObject<Shape>,
    handle: (input: z.infer<z.ZodObject<Shape>>, cause: Cause) => unknown,
  ): void {
    const functionId = `configuration::${name}`
    client.registerFunction(
      functionId,
      async (given, cause) => handle(readInput(functionId, input, given), cause),
      {
        description,
        request_format: requestFormat(input),
      },
    )
  }

  add(
    'register',
    'Registers a configuration: its schema, and a value to begin with',
    registerInput,
    async (given, cause) => {
      const { name, description, schema, _caller_worker_id } = given
      const wanted = {
        id: given.id,
        name,
        description,
        schema,
        value: (given.initial_value as Json | undefined) ?? undefined,
        metadata: (given.metadata as Json | undefined) ?? undefined,
      }
      const { entry } = await registry.register(
        wanted,
        given.if_revision ?? undefined,
        askerOf(_caller_worker_id, cause),
      )
      used(entry.id)
      const value = stored(entry, entry.value, _caller_worker_id)
      return { ...summaryOf(entry), value, revision: entry.revision }
    },
  )

  function answerChange(decision: Awaited<ReturnType<Registry['set']>>, workerId: string | null | undefined) {
    const { entry, event } = decision
    used(entry.id)
    return {
      old_value: stored(entry, event.oldValue, workerId),
      new_value: stored(entry, event.newValue, workerId),
      revision: entry.revision,
    }
  }

  add('set', 'Replaces the value of a configuration', setInput, async (given, cause) => {
    const change = { id: given.id, value: given.value, ifRevision: given.if_revision ?? undefined }
    const asker = askerOf(given._caller_worker_id, cause)
    return answerChange(await registry.set(change, asker), given._caller_worker_id)
  })

  add('patch', 'Changes a part of the value of a configuration', patchInput, async (given, cause) => {
    const change = { id: given.id, value: given.patch, ifRevision: given.if_revision ?? undefined }
    const asker = askerOf(given._caller_worker_id, cause)
    return answerChange(await registry.patch(change, asker), given._caller_worker_id)
  })

  add(
    'rollback',
    'Makes an earlier value the value of a configuration again',
    rollbackInput,
    async (given, cause) => {
      const { id, revision, if_revision, _caller_worker_id } = given
      const asker = askerOf(_caller_worker_id, cause)
      const decision = await registry.rollback(id, revision, if_revision ?? undefined, asker)
      return answerChange(decision, _caller_worker_id)
    },
  )

  add(
    'delete',
    'Deletes a configuration',
    deleteInput,
    async ({ id, if_revision, _caller_worker_id }, cause) => {
      const entry = await registry.delete(id, if_revision ?? undefined, askerOf(_caller_worker_id, cause))
      if (entry === undefined) throw notFound(id)
      return { id, old_value: stored(entry, entry.value, _caller_worker_id), revision: entry.revision + 1 }
    },
  )

  add('get', 'Tells the value of a configuration', getInput, async ({ id, raw, _caller_worker_id }) => {
    const entry = requireEntry(id)
    const { revision } = entry
    if (raw === true) return { id, value: stored(entry, entry.value, _caller_worker_id), revision }
    const value = await reading.read(entry)
    const shown = mayReveal(entry, _caller_worker_id) ? value : reading.masked(entry.schema, entry.value)
    return { id, value: shown, revision }
  })

  add('list', 'Lists configurations, without their values', listInput, () => ({
    configurations: registry
      .entries()
      .map(summaryOf)
      .sort((one, other) => (one.id < other.id ? -1 : 1)),
  }))

  add('schema', 'Tells the schema of a configuration', schemaInput, ({ id }) => summaryOf(requireEntry(id)))

  add('history', 'Tells the last values of a configuration', historyInput, given => {
    const entry = requireEntry(given.id)
    const shown = entry.history.toReversed().slice(0, given.limit ?? undefined)
    return {
      id: entry.id,
      revision: entry.revision,
      history: shown.map(({ revision, value, atMs, author, how, isLost }) => ({
        revision,
        value: stored(entry, value, given._caller_worker_id),
        time: new Date(atMs).toISOString(),
        author,
        how,
        ...(isLost ? { lost: true } : {}),
      })),
    }
  })
}
