/**
 * Environment expansion on the raw text of a file: `${NAME}` and `${NAME:default}`; `$${` stays a literal `${`.
 *
 * The result remembers which stretch of it came from where, so that a problem found in the expanded text is
 * reported at its place in the file, and text that came from the environment is never shown.
 */
import { isSecretName } from '../log/redact.ts'
import type { Environment } from './settings.ts'

/** A stretch of the expanded text that replaces a stretch of the raw one. Offsets count UTF-16 units. */
interface Replacement {
  readonly rawStart: number
  readonly rawEnd: number
  readonly start: number
  readonly end: number
  /** The variable whose value it is; `undefined` for a default or an escape, which stand in the file anyway. */
  readonly variable: string | undefined
}

export interface Reference {
  readonly name: string
  /** Where it stands in the raw text and in the expanded one. */
  readonly rawOffset: number
  readonly offset: number
}

export interface ExpandedText {
  readonly text: string
  /** Variables that are neither set nor have a default; expanded to nothing. */
  readonly missing: readonly Reference[]
  /** Defaults that begin with `-`: the shell's `${NAME:-default}`, which does not mean that here. */
  readonly shellDefaults: readonly Reference[]
  /** Line and column in the file, both from 1, of an offset in the expanded text. */
  position(offset: number): { line: number; column: number }
  /** The variable, if any, whose value reaches into this stretch of the expanded text. */
  variableIn(start: number, end: number): string | undefined
  /** True when any part of this stretch was written as `${…}`. */
  isExpanded(start: number, end: number): boolean
  /** Replaces values that came from the environment by the name of their variable. */
  mask(message: string): string
}

const REFERENCE = /\$\$\{|\$\{([^}:]+)(?::([^}]*))?\}/g

/** Shorter values are words like `1` or `on`: masking them would only garble messages. */
const SHORTEST_MASKED = 4

export function expandEnvironment(raw: string, env: Environment): ExpandedText {
  const replacements: Replacement[] = []
  const missing: Reference[] = []
  const shellDefaults: Reference[] = []
  let text = ''
  let copied = 0

  for (const match of raw.matchAll(REFERENCE)) {
    const [whole, name, fallback] = match
    text += raw.slice(copied, match.index)
    copied = match.index + whole.length
    const start = text.length
    const reference = { name: name ?? '', rawOffset: match.index, offset: start }
    const value = name !== undefined && Object.hasOwn(env, name) ? env[name] : undefined
    if (name === undefined) text += '${'
    else if (value !== undefined) text += value
    else if (fallback === undefined) missing.push(reference)
    else text += fallback
    if (fallback?.startsWith('-')) shellDefaults.push(reference)
    const variable = value === undefined ? undefined : name
    replacements.push({ rawStart: match.index, rawEnd: copied, start, end: text.length, variable })
  }
  text += raw.slice(copied)

  const touching = (start: number, end: number): Replacement[] =>
    replacements.filter(each => each.start < end && start < each.end)

  return {
    text,
    missing,
    shellDefaults,
    position: offset => lineAndColumn(raw, rawOffset(replacements, offset)),
    variableIn: (start, end) => touching(start, end).find(each => each.variable !== undefined)?.variable,
    isExpanded: (start, end) => touching(start, end).length > 0,
    mask(message) {
      let masked = message
      for (const [value, variable] of secrets(text, replacements)) {
        masked = masked.replaceAll(value, `\${${variable}}`)
      }
      return masked
    },
  }
}

/** The values to mask, longest first: one may be part of another. */
function secrets(text: string, replacements: readonly Replacement[]): [value: string, variable: string][] {
  const values = new Map<string, string>()
  for (const { variable, start, end } of replacements) {
    if (variable === undefined || start === end) continue
    if (end - start >= SHORTEST_MASKED || isSecretName(variable)) values.set(text.slice(start, end), variable)
  }
  return [...values].sort(([one], [other]) => other.length - one.length)
}

function rawOffset(replacements: readonly Replacement[], offset: number): number {
  let shift = 0
  for (const each of replacements) {
    if (offset < each.start) break
    if (offset < each.end) return each.rawStart
    shift = each.rawEnd - each.end
  }
  return offset + shift
}

export function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset)
  const lineStart = before.lastIndexOf('\n') + 1
  return { line: before.split('\n').length, column: offset - lineStart + 1 }
}
