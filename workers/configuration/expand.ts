/**
 * Placeholders in strings: `${VAR}` and `${VAR:default}`, replaced whenever a value is read, never in what is stored.
 * `$${` is a literal `${`, as in the configuration file.
 */
import { type Json, mapStrings } from './json.ts'

/** Variables as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

export interface Expansion {
  readonly value: Json
  /** Unset variables without a default, each once; their placeholders stand in the value as they are written. */
  readonly missing: readonly string[]
  /** The value has become larger than it may be, and is not complete. */
  readonly isTooLarge: boolean
}

/** Stands in place of what must not be seen. */
export const MASK = '***'

const PLACEHOLDER = /\$\$\{|\$\{([^}:]+)(?::([^}]*))?\}/g
const LONE = /^\$\{([^}:]+)(?::([^}]*))?\}$/

export interface ExpandOptions {
  readonly env: Environment
  /** What comes from the environment is replaced by the mask. */
  readonly masked: boolean
  /** Characters that may come from placeholders, all together. */
  readonly mostCharacters: number
}

function hasPlaceholder(text: string): boolean {
  return text.includes('${')
}

export function expandValue(value: Json, { env, masked, mostCharacters }: ExpandOptions): Expansion {
  const missing = new Set<string>()
  let room = mostCharacters

  /** The text of a placeholder; `undefined`: neither set nor given a default. */
  function textOf(name: string, fallback: string | undefined): string | undefined {
    const set = Object.hasOwn(env, name) ? env[name] : undefined
    const text = set === undefined ? fallback : masked ? MASK : set
    if (text === undefined) {
      missing.add(name)
      return undefined
    }
    room -= text.length
    return room < 0 ? '' : text
  }

  function expand(text: string): Json {
    if (!hasPlaceholder(text)) return text
    const lone = LONE.exec(text)
    if (lone !== null) {
      const found = textOf(lone[1]!, lone[2])
      if (found === undefined) return text
      return found === '' || found === MASK ? found : readScalar(found)
    }
    return text.replace(PLACEHOLDER, (whole, name: string | undefined, fallback: string | undefined) =>
      name === undefined ? '${' : (textOf(name, fallback) ?? whole),
    )
  }

  const expanded = mapStrings(value, expand)
  return { value: expanded, missing: [...missing], isTooLarge: room < 0 }
}

/** Placeholders stay, their defaults are masked, and so is everything around them. */
export function maskAroundPlaceholders(text: string): string {
  let shown = ''
  let end = 0
  for (const match of text.matchAll(PLACEHOLDER)) {
    const [whole, name, fallback] = match
    if (name === undefined) continue
    if (match.index > end && !shown.endsWith(MASK)) shown += MASK
    shown += fallback === undefined || fallback === '' ? whole : `\${${name}:${MASK}}`
    end = match.index + whole.length
  }
  return end < text.length && !shown.endsWith(MASK) ? shown + MASK : shown
}

const WORDS: ReadonlyMap<string, Json> = new Map<string, Json>([
  ...['null', 'Null', 'NULL', '~'].map(word => [word, null] as const),
  ...['true', 'True', 'TRUE'].map(word => [word, true] as const),
  ...['false', 'False', 'FALSE'].map(word => [word, false] as const),
])

const DECIMAL = /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/
const OCTAL_OR_HEX = /^(?:0o[0-7]+|0x[\da-fA-F]+)$/
const SINGLE_QUOTED = /^'(?:[^']|'')*'$/

/**
 * A text as YAML 1.2 reads a scalar. What is no number, word or quoted text stays as it is: what YAML would take for a
 * comment or a tag may belong to a password, and a number that would lose digits is an id.
 */
export function readScalar(text: string): Json {
  const trimmed = text.trim()
  const word = WORDS.get(trimmed)
  if (word !== undefined) return word
  if (DECIMAL.test(trimmed) || OCTAL_OR_HEX.test(trimmed)) {
    const value = Number(trimmed)
    return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value)) ? value : text
  }
  if (SINGLE_QUOTED.test(trimmed)) return trimmed.slice(1, -1).replaceAll("''", "'")
  if (trimmed.startsWith('"')) {
    try {
      return JSON.parse(trimmed) as Json
    } catch {
      return text
    }
  }
  return text
}
