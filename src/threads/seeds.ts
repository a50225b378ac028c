/**
 * Settings of built-in workers that may change while they run, as entries of the configuration worker: made of the configuration
 * file, and checked by the schema that has read it. What is wrong is told in the same sentences.
 */
import { z } from 'zod'
import type { Completed, Seed } from '../../workers/configuration/seed.ts'
import { toFindings } from '../config/issues.ts'
import type { ChangeableSettings, WorkerSettings } from '../config/settings.ts'
import { knownWorkers } from './placement.ts'

type Json = Seed['value']
type JsonObject = { [key: string]: Json }
type Path = readonly string[]

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function memberAt(value: unknown, path: Path): Json | undefined {
  let at = value
  for (const key of path) at = isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined
  return at as Json | undefined
}

/** Objects on the way are made; what is no object there is left for the schema to refuse. */
function putAt(value: JsonObject, path: Path, member: Json | undefined): void {
  let at = value
  for (const key of path.slice(0, -1)) {
    if (at[key] === undefined) at[key] = {}
    const next = at[key]
    if (!isObject(next)) return
    at = next
  }
  const last = path.at(-1)!
  if (member === undefined) delete at[last]
  else at[last] = member
}

/** And what is empty without it. */
function removeAt(value: JsonObject, path: Path): void {
  putAt(value, path, undefined)
  const holder = path.slice(0, -1)
  const left = memberAt(value, holder)
  if (holder.length > 0 && isObject(left) && Object.keys(left).length === 0) removeAt(value, holder)
}

/** A text of the file that looks like a placeholder is none any more. */
const withoutPlaceholders = (_: string, value: unknown): unknown =>
  typeof value === 'string' ? value.replaceAll('${', '$${') : value

/** Without what the engine reads at the start only: it is that of the file, and may be nobody's business. */
function seedValue(config: unknown, { fixed }: ChangeableSettings): Json {
  const value = JSON.parse(JSON.stringify(config, withoutPlaceholders)) as JsonObject
  for (const path of fixed) removeAt(value, path)
  return value
}

function completing(schema: z.ZodType, { fixed }: ChangeableSettings, config: unknown) {
  return (given: Json): Completed => {
    const value = structuredClone(given) as Json
    const problems: string[] = []
    for (const path of fixed) {
      const inForce = memberAt(config, path)
      const member = memberAt(value, path)
      if (member !== undefined && member !== inForce) {
        problems.push(
          `${path.join('.')}: it is read at the start of the engine only. Change it in the configuration file and start the engine again`,
        )
      } else if (isObject(value)) putAt(value, path, inForce)
    }
    if (problems.length > 0) return { problems }
    const parsed = schema.safeParse(value)
    if (parsed.success) return { config: parsed.data }
    return {
      problems: toFindings(parsed.error.issues, schema, value).map(({ path, message, suggestion }) =>
        [path.length === 0 ? message : `${path.join('.')}: ${message}`, suggestion ?? []].flat().join('. '),
      ),
    }
  }
}

/** Of the workers that are configured and have such settings. */
export function createSeeds(workers: readonly WorkerSettings[]): Seed[] {
  return workers.flatMap(({ name, config }) => {
    const known = knownWorkers.get(name)
    if (known?.changeable === undefined) return []
    const { schema, changeable } = known
    return {
      id: name,
      name,
      description: changeable.description,
      schema: z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Json,
      value: seedValue(config, changeable),
      complete: completing(schema, changeable, config),
    }
  })
}
