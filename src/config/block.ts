/** One block of the file through the schema that belongs to it. */
import type { z } from 'zod'
import { type Finding, type Path, toFindings, valueAt } from './issues.ts'

/** What reading a block needs from the file. */
export interface BlockSource {
  problem(finding: Finding): void
  /** The value at `path` was written as `${…}`. */
  isExpanded(path: Path): boolean
}

/** The block with its defaults, or `undefined` after every problem was reported. `path` leads to the block. */
export function parseBlock<Schema extends z.ZodType>(
  block: unknown,
  schema: Schema,
  path: Path,
  source: BlockSource,
): z.output<Schema> | undefined {
  let parsed = schema.safeParse(block)
  if (!parsed.success) {
    const unquoted = withoutQuotes(block, parsed.error.issues, at => source.isExpanded([...path, ...at]))
    if (unquoted !== undefined) parsed = schema.safeParse(unquoted)
  }
  if (parsed.success) return parsed.data
  for (const finding of toFindings(parsed.error.issues, schema, block)) {
    source.problem({ ...finding, path: [...path, ...finding.path] })
  }
  return undefined
}

/**
 * `port: "${HTTP_PORT:3111}"` needs its quotes to be YAML before expansion, and means a number all the same. So a
 * string that was written as a variable is read again as what the schema wanted there.
 */
function withoutQuotes(
  block: unknown,
  issues: readonly z.core.$ZodIssue[],
  isExpanded: (path: Path) => boolean,
): unknown {
  let changed: unknown
  for (const issue of issues) {
    if (issue.code !== 'invalid_type' || issue.path.length === 0) continue
    const given = valueAt(block, issue.path)
    if (typeof given !== 'string' || !isExpanded(issue.path)) continue
    const meant = readAs(issue.expected, given.trim())
    if (meant === undefined) continue
    changed ??= structuredClone(block)
    const holder = valueAt(changed, issue.path.slice(0, -1)) as Record<PropertyKey, unknown>
    holder[issue.path.at(-1)!] = meant
  }
  return changed
}

function readAs(expected: string, text: string): number | boolean | undefined {
  if (expected === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined
  if (expected !== 'number' && expected !== 'int') return undefined
  return /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined
}
