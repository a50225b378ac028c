/** What an entry is when it is read: placeholders replaced, checked, and for most callers masked. */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import { limits } from '../../src/protocol/limits.ts'
import { schemaInvalid } from './decide.ts'
import type { Entry } from './entry.ts'
import { type Environment, type Expansion, expandValue } from './expand.ts'
import type { Json } from './json.ts'
import { maskSecretsOf } from './secrets.ts'
import type { Seeds } from './seed.ts'
import type { CheckValue } from './validate.ts'

export interface ReadingParts {
  readonly env: Environment
  readonly check: CheckValue
  /** Built-in workers check their settings themselves: with sentences that a schema does not have. */
  readonly seeds?: Seeds
}

export interface Reading {
  /**
   * Refuses a value that is to be stored with `SCHEMA_INVALID`. What an unset variable may hold is not judged before it is
   * read.
   */
  requireValid(of: Pick<Entry, 'id' | 'schema'>, value: Json): Promise<void>
  /** The value as its owner gets it. Rejects with `EXPAND_FAILED` or `SCHEMA_INVALID`. */
  read(entry: Entry): Promise<Json>
  /** As `read`, for everybody: without secrets, and with placeholders of unset variables left as they are. */
  masked(entry: Pick<Entry, 'schema' | 'formerSchema'>, value: Json): Json
}

export function createReading({ env, check, seeds }: ReadingParts): Reading {
  const known = new WeakMap<Entry, Promise<Json>>()

  async function problemsOf(
    { id, schema }: Pick<Entry, 'id' | 'schema'>,
    expanded: Json,
  ): Promise<readonly string[]> {
    const seed = seeds?.get(id)
    if (seed === undefined) return schema === undefined ? [] : check(schema, expanded)
    const completed = seed.complete(expanded)
    return 'problems' in completed ? completed.problems : []
  }

  function expand(value: Json, masked: boolean): Expansion {
    return expandValue(value, { env, masked, mostCharacters: limits.configurationValueBytes })
  }

  async function readOnce(entry: Entry): Promise<Json> {
    const { id, value } = entry
    const { value: expanded, missing, isTooLarge } = expand(value, false)
    if (missing.length > 0) {
      throw new HandlerError(
        'EXPAND_FAILED',
        `configuration '${id}' references unset environment variable(s) with no default: ${missing.join(', ')}`,
      )
    }
    if (isTooLarge) throw new HandlerError('EXPAND_FAILED', tooLarge(id))
    const problems = await problemsOf(entry, expanded)
    if (problems.length > 0) throw schemaInvalid(problems)
    return expanded
  }

  return {
    async requireValid(of, value) {
      const { value: expanded, missing, isTooLarge } = expand(value, false)
      if (isTooLarge) {
        throw schemaInvalid([
          `/: expected at most ${limits.configurationValueBytes} characters from placeholders`,
        ])
      }
      const problems = missing.length > 0 ? [] : await problemsOf(of, expanded)
      if (problems.length > 0) throw schemaInvalid(problems)
    },

    read(entry) {
      let reading = known.get(entry)
      if (reading === undefined) {
        reading = readOnce(entry)
        known.set(entry, reading)
      }
      return reading
    },

    masked: (entry, value) => maskSecretsOf(entry, expand(value, true).value, false),
  }
}

function tooLarge(id: string): string {
  return `configuration '${id}' becomes larger than ${limits.configurationValueBytes} bytes with its environment variables`
}
