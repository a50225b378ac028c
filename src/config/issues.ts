/** Turns what zod found into problems that name the path, the nearest known key, and never a value. */
import { z } from 'zod'
import { nearestName } from '../log/nearest.ts'
import { isSecretName } from '../log/redact.ts'

export type Path = readonly PropertyKey[]

export interface Finding {
  readonly path: Path
  /** The finding is about the key itself, not about its value. */
  readonly aboutKey: boolean
  readonly message: string
  readonly suggestion: string | undefined
}

type Issue = z.core.$ZodIssue

/** `value` is what was parsed; it is looked at for suggestions only. */
export function toFindings(issues: readonly Issue[], schema: z.ZodType, value: unknown): Finding[] {
  return issues.flatMap(issue => findingsOf(issue, schema, value))
}

function findingsOf(issue: Issue, schema: z.ZodType, value: unknown): Finding[] {
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = knownKeys(schema, issue.path)
      return issue.keys.map(key => ({
        path: [...issue.path, key],
        aboutKey: true,
        message: 'unknown key',
        suggestion: suggestKey(key, known),
      }))
    }
    case 'invalid_union': {
      const branch = likeliestBranch(issue.errors)
      if (branch === undefined) break
      const inner = branch.map(each => ({ ...each, path: [...issue.path, ...each.path] }))
      return inner.flatMap(each => findingsOf(each, schema, value))
    }
    case 'invalid_type': {
      if (valueAt(value, issue.path) !== undefined) break
      const message = issue.message.startsWith('Invalid input')
        ? `missing, ${article(issue.expected)} is needed`
        : issue.message
      return [{ path: issue.path, aboutKey: false, message, suggestion: undefined }]
    }
    case 'invalid_value': {
      const given = valueAt(value, issue.path)
      const options = issue.values.map(String)
      const secret = isSecretName(String(issue.path.at(-1) ?? ''))
      const nearest = typeof given === 'string' && !secret ? nearestName(given, options) : undefined
      const suggestion = nearest === undefined ? undefined : `Did you mean '${nearest}'?`
      return [
        { path: issue.path, aboutKey: false, message: `must be one of ${options.join(', ')}`, suggestion },
      ]
    }
  }
  return [{ path: issue.path, aboutKey: false, message: plain(issue.message), suggestion: undefined }]
}

/** zod's own sentences begin with `Invalid input: `, which says nothing next to a path. */
function plain(message: string): string {
  return message.replace(/^Invalid input: /, '')
}

function article(expected: string): string {
  return /^[aeiou]/.test(expected) ? `an ${expected}` : `a ${expected}`
}

/** Of the alternatives of a union, the one whose problems lie deepest was probably meant. */
function likeliestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const depth = (branch: readonly Issue[]): number => Math.max(0, ...branch.map(issue => issue.path.length))
  return branches.filter(branch => branch.length > 0).toSorted((one, other) => depth(other) - depth(one))[0]
}

function suggestKey(key: string, known: readonly string[]): string | undefined {
  const nearest = nearestName(key, known)
  if (nearest !== undefined) return `Did you mean '${nearest}'?`
  return known.length === 0 ? undefined : `Known keys: ${known.join(', ')}.`
}

export function valueAt(value: unknown, path: Path): unknown {
  let at = value
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined
    at = (at as Record<PropertyKey, unknown>)[key]
  }
  return at
}

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly additionalProperties?: SchemaNode | boolean
  readonly items?: SchemaNode | boolean
  readonly prefixItems?: readonly SchemaNode[]
  readonly anyOf?: readonly SchemaNode[]
  readonly oneOf?: readonly SchemaNode[]
  readonly allOf?: readonly SchemaNode[]
  readonly not?: SchemaNode
}

/** The keys an object may have at this place; read from the JSON Schema, which is simpler to walk than zod's own form. */
function knownKeys(schema: z.ZodType, path: Path): string[] {
  const root = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as SchemaNode
  let nodes = alternatives(root)
  for (const key of path) nodes = nodes.flatMap(node => members(node, key)).flatMap(alternatives)
  const keys = nodes.flatMap(node => Object.entries(node.properties ?? {}))
  // `not: {}` is a key that is only there to be refused.
  return [...new Set(keys.filter(([, node]) => node.not === undefined).map(([key]) => key))]
}

function alternatives(node: SchemaNode): SchemaNode[] {
  const inner = [...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.allOf ?? [])]
  return [node, ...inner.flatMap(alternatives)]
}

function members(node: SchemaNode, key: PropertyKey): SchemaNode[] {
  const found =
    typeof key === 'number'
      ? (node.prefixItems?.[key] ?? node.items)
      : (node.properties?.[String(key)] ?? node.additionalProperties)
  return typeof found === 'object' ? [found] : []
}
