/** The functions `configuration::*`: inputs, who sees what, answers. */
import { z } from 'zod'
import type { WorkerClient } from '../../sdk/typescript/src/worker.ts'
import type { Cause } from '../../src/delivery/depth.ts'
import { limits } from '../../src/protocol/limits.ts'
import { readInput, requestFormat } from '../zodInput.ts'
import { notFound, schemaInvalid } from './decide.ts'
import type { Asker, Entry } from './entry.ts'
import type { Json } from './json.ts'
import type { Reading } from './reading.ts'
import type { Registry } from './registry.ts'
import { maskSecretsOf } from './secrets.ts'
import type { Seeds } from './seed.ts'

export interface Caller {
  /** As it announces itself; in another namespace than `default` with that before it: `shop/orders`. */
  readonly name: string
  readonly builtIn: boolean
}

/**
 * Who a worker id belongs to; `undefined`: nobody who has said a name. Waits a moment for the name of a connection that
 * is new: published clients call before they announce themselves.
 */
export type FindCaller = (workerId: string) => Caller | undefined | Promise<Caller | undefined>

/** Who calls, and by which call. */
interface Call {
  readonly caller: Caller | undefined
  /** The engine names every caller but its own workers. */
  readonly isBuiltIn: boolean
  readonly cause: Cause
}

export interface FunctionParts {
  readonly registry: Registry
  readonly reading: Reading
  readonly seeds: Seeds
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
  if_absent: z.boolean().nullish().describe('a value that is stored stays, whatever initial_value says'),
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

function optional(metadata: Json | undefined): { metadata?: Json } {
  return metadata === undefined ? {} : { metadata }
}

function summaryOf({ id, name, description, schema, metadata }: Entry) {
  return { id, name, description, schema: schema ?? null, ...optional(metadata) }
}

export function registerFunctions(client: WorkerClient, parts: FunctionParts): void {
  const { registry, reading, seeds, findCaller, revealTo, used } = parts

  function askerOf({ caller, cause }: Call): Asker {
    return { author: caller?.name ?? 'unknown', cause }
  }

  function mayReveal(entry: Entry, { caller }: Call): boolean {
    if (caller === undefined) return false
    return caller.builtIn || entry.registrants.includes(caller.name) || revealTo.has(caller.name)
  }

  /** A stored value as this caller may see it: placeholders stay. */
  function stored(entry: Entry, value: Json, call: Call): Json {
    return mayReveal(entry, call) ? value : maskSecretsOf(entry, value, true)
  }

  function requireEntry(asked: string): Entry {
    const entry = registry.find(asked)
    if (entry === undefined) throw notFound(asked)
    return entry
  }

  function add<Shape extends z.ZodRawShape>(
    name: string,
    description: string,
    input: z.ZodObject<Shape>,
    handle: (input: z.infer<z.ZodObject<Shape>>, call: Call) => unknown,
    metadata?: { readonly internal: true },
  ): void {
    const functionId = `configuration::${name}`
    async function run(given: unknown, cause: Cause): Promise<unknown> {
      const known = readInput(functionId, input, given)
      const { id, _caller_worker_id: workerId } = known as { id?: string; _caller_worker_id?: string | null }
      // Before it waits for anything: what is asked for now does not expire meanwhile.
      if (id !== undefined && registry.find(id) !== undefined) used(id)
      return handle(known, {
        caller: workerId ? await findCaller(workerId) : undefined,
        isBuiltIn: !workerId,
        cause,
      })
    }
    client.registerFunction(functionId, run, { description, request_format: requestFormat(input), metadata })
  }

  add(
    'register',
    'Registers a configuration: its schema, and a value to begin with',
    registerInput,
    async (given, call) => {
      const { name, description, schema } = given
      const wanted = {
        id: given.id,
        name,
        description,
        schema,
        value: (given.initial_value as Json | undefined) ?? undefined,
        metadata: (given.metadata as Json | undefined) ?? undefined,
        keepsValue: given.if_absent === true,
        registrant: call.caller?.name,
      }
      const { entry } = await registry.register(wanted, given.if_revision ?? undefined, askerOf(call))
      const value = stored(entry, entry.value, call)
      return { ...summaryOf(entry), value, revision: entry.revision }
    },
  )

  function answerChange(decision: Awaited<ReturnType<Registry['set']>>, call: Call) {
    const { entry, event } = decision
    return {
      old_value: stored(entry, event.oldValue, call),
      new_value: stored(entry, event.newValue, call),
      revision: entry.revision,
    }
  }

  add('set', 'Replaces the value of a configuration', setInput, async (given, call) => {
    const change = { id: given.id, value: given.value, ifRevision: given.if_revision ?? undefined }
    const asker = askerOf(call)
    return answerChange(await registry.set(change, asker), call)
  })

  add('patch', 'Changes a part of the value of a configuration', patchInput, async (given, call) => {
    const change = { id: given.id, value: given.patch, ifRevision: given.if_revision ?? undefined }
    const asker = askerOf(call)
    return answerChange(await registry.patch(change, asker), call)
  })

  add(
    'rollback',
    'Makes an earlier value the value of a configuration again',
    rollbackInput,
    async (given, call) => {
      const { id, revision, if_revision } = given
      const asker = askerOf(call)
      const decision = await registry.rollback(id, revision, if_revision ?? undefined, asker)
      return answerChange(decision, call)
    },
  )

  add('delete', 'Deletes a configuration', deleteInput, async ({ id, if_revision }, call) => {
    const entry = await registry.delete(id, if_revision ?? undefined, askerOf(call))
    if (entry === undefined) throw notFound(id)
    return { id, old_value: stored(entry, entry.value, call), revision: entry.revision + 1 }
  })

  add('get', 'Tells the value of a configuration', getInput, async ({ id, raw }, call) => {
    const entry = requireEntry(id)
    const { revision } = entry
    if (raw === true) return { id, value: stored(entry, entry.value, call), revision }
    const value = await reading.read(entry)
    const shown = mayReveal(entry, call) ? value : reading.masked(entry, entry.value)
    return { id, value: shown, revision }
  })

  add(
    'settings',
    'Tells a built-in worker its settings, with every default',
    getInput,
    async ({ id }, { isBuiltIn }) => {
      const seed = seeds.get(id)
      const entry = registry.find(id)
      if (seed === undefined || entry === undefined || !isBuiltIn) throw notFound(id)
      const completed = seed.complete(await reading.read(entry))
      if ('problems' in completed) throw schemaInvalid(completed.problems)
      return { config: completed.config, revision: entry.revision }
    },
    { internal: true },
  )

  add('list', 'Lists configurations, without their values', listInput, () => ({
    configurations: registry
      .entries()
      .map(summaryOf)
      .sort((one, other) => (one.id < other.id ? -1 : 1)),
  }))

  add('schema', 'Tells the schema of a configuration', schemaInput, ({ id }) => summaryOf(requireEntry(id)))

  add('history', 'Tells the last values of a configuration', historyInput, (given, call) => {
    const entry = requireEntry(given.id)
    const shown = entry.history.toReversed().slice(0, given.limit ?? undefined)
    return {
      id: entry.id,
      revision: entry.revision,
      history: shown.map(({ revision, value, atMs, author, how, isLost }) => ({
        revision,
        value: stored(entry, value, call),
        time: new Date(atMs).toISOString(),
        author,
        how,
        ...(isLost ? { lost: true } : {}),
      })),
    }
  })
}
