/**
 * Settings of built-in workers as entries. The configuration file is the seed of one: it is the value until somebody changes it,
 * and nothing is stored before. What is stored then goes before the file, until it is deleted.
 */
import type { Entry } from './entry.ts'
import type { Json } from './json.ts'

export interface Seed extends Pick<Entry, 'id' | 'name' | 'description'> {
  readonly schema: Json
  /** What the configuration file says. */
  readonly value: Json
  /** What a value means with its defaults, or sentences that say what is wrong with it. Placeholders are replaced already. */
  complete(value: Json): Completed
}

export type Completed = { readonly config: unknown } | { readonly problems: readonly string[] }

export type Seeds = ReadonlyMap<string, Seed>

/** Name of the worker: who registers an entry of its own. */
export const registeringOf = ({ id, name, description, schema, value }: Seed) => ({
  id,
  name,
  description,
  schema,
  value,
  keepsValue: true,
  metadata: undefined,
  registrant: id,
})
