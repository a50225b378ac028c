/**
 * `config.yaml` → settings, or every problem it has.
 *
 *     text ──expand──► expanded text ──yaml──► plain data ──zod──► entries ──each worker's schema──► settings
 *       └───────────── problems are mapped back to lines and columns of the file as written ─────────────┘
 */
import { z } from 'zod'
import { limits } from '../protocol/limits.ts'
import { parseBlock } from './block.ts'
import { complete } from './complete.ts'
import { findComments, readDocument, type YamlDocument } from './document.ts'
import { type ExpandedText, expandEnvironment, lineAndColumn, type Reference } from './expand.ts'
import { readGrace } from './grace.ts'
import type { Finding, Path } from './issues.ts'
import { type Entry, type PlacingSource, placeEntries } from './place.ts'
import type { ConfigContext, ConfigProblem, ConfigResult } from './settings.ts'

const ENTRY_FORM = 'write each worker as `- name: iii-http`, on a line of its own below `workers:`'

const entryList = z
  .array(
    z.strictObject(
      {
        name: z.string().min(1),
        config: z.record(z.string(), z.unknown()).nullish(),
        image: z.string().nullish(),
      },
      // Of its keys zod tells by itself; this is about `- iii-http`.
      { error: issue => (issue.code === 'invalid_type' ? `this is not an entry; ${ENTRY_FORM}` : undefined) },
    ),
    { error: issue => (issue.code === 'invalid_type' ? `this is not a list; ${ENTRY_FORM}` : undefined) },
  )
  .max(limits.configWorkers, { error: `more than ${limits.configWorkers} entries` })
  .nullish()

const shardsSchema = z.union([z.literal('auto'), z.int().min(0).max(limits.shards)], {
  error: `must be auto or a whole number from 0 to ${limits.shards}`,
})

const rootSchema = z.strictObject({
  registration_namespace_grace_ms: z.int().min(0).nullish(),
  shards: shardsSchema.nullish(),
  acceptor: z.enum(['kernel', 'thread']).nullish(),
  data: z.string().min(1).nullish(),
  workers: entryList,
  /** Older name of `workers`; its entries come after those. */
  modules: entryList,
})

/** Reads a configuration; touches nothing but its arguments. `path` is for `Settings.file` only. */
export function readConfig(text: string, context: ConfigContext & { readonly path: string }): ConfigResult {
  const expanded = expandEnvironment(text, context.env)
  const references = outsideComments(expanded)
  if (references.missing.length > 0) {
    return refused(references.missing, missing => missingProblem(text, missing))
  }
  const document = readDocument(expanded.text)
  if (document.faults.length > 0) {
    return refused(document.faults, fault => yamlProblem(expanded, fault))
  }

  const value = document.value ?? {}
  const toProblem = problemOf(expanded, document)
  const findings: Finding[] = []
  const suspicions: Finding[] = []
  const source: PlacingSource = {
    problem: finding => findings.push(finding),
    suspicion: finding => suspicions.push(finding),
    line: path => expanded.position(document.locate(path, false).start).line,
    isExpanded: path => {
      const { start, end } = document.locate(path, false)
      return expanded.isExpanded(start, end)
    },
    variableAt: path => {
      const { start, end } = document.locate(path, false)
      return expanded.variableIn(start, end)
    },
  }
  const root = parseBlock(value, rootSchema, [], source)
  const placement = placeEntries(listedEntries(value), context.knownWorkers, source)
  const grace = readGrace(context.env)
  if (root === undefined || findings.length > 0 || grace.problem !== undefined) {
    const { problems, untold } = refused([...findings, ...suspicions], toProblem)
    return { ok: false, problems: inOrder([...(grace.problem ? [grace.problem] : []), ...problems]), untold }
  }

  const graceMs = grace.ms ?? root.registration_namespace_grace_ms ?? undefined
  const warnings = [...references.shellDefaults.map(each => shellWarning(text, each)), ...placement.warnings]
  return {
    ok: true,
    settings: complete(
      { ...placement, warnings },
      {
        graceMs,
        shards: root.shards ?? 'auto',
        acceptor: root.acceptor ?? undefined,
        data: root.data ?? undefined,
        file: context.path,
      },
      context,
    ),
  }
}

/** Each place costs a look through the text, and a broken text may have a fault in every character: the first few do. */
function refused<Found>(
  found: readonly Found[],
  describe: (each: Found) => ConfigProblem,
): ConfigResult & { ok: false } {
  const told = found.slice(0, limits.configProblems)
  return { ok: false, problems: told.map(describe), untold: found.length - told.length }
}

/** The entries that can be looked at further; those with a wrong shape have been reported by the root schema. */
function listedEntries(root: unknown): Entry[] {
  const entries: Entry[] = []
  for (const list of ['workers', 'modules'] as const) {
    const listed =
      typeof root === 'object' && root !== null ? (root as Record<string, unknown>)[list] : undefined
    if (!Array.isArray(listed)) continue
    for (const [index, item] of listed.slice(0, limits.configWorkers).entries()) {
      const { name, config } = (item ?? {}) as { name?: unknown; config?: unknown }
      if (typeof name !== 'string' || name === '') continue
      if (config !== undefined && (typeof config !== 'object' || Array.isArray(config))) continue
      entries.push({ name, config: config ?? {}, path: [list, index] })
    }
  }
  return entries
}

/** A variable that only a comment mentions is nobody's business. */
function outsideComments(expanded: ExpandedText): { missing: Reference[]; shellDefaults: Reference[] } {
  const { missing, shellDefaults } = expanded
  if (missing.length === 0 && shellDefaults.length === 0) return { missing: [], shellDefaults: [] }
  const comments = findComments(expanded.text)
  const outside = ({ offset }: Reference): boolean =>
    !comments.some(({ start, end }) => start <= offset && offset <= end)
  return { missing: missing.filter(outside), shellDefaults: shellDefaults.filter(outside) }
}

function missingProblem(text: string, { name, rawOffset }: Reference): ConfigProblem {
  return {
    path: '',
    ...lineAndColumn(text, rawOffset),
    message: `Environment variable '${name}' not set and no default provided`,
    suggestion: `Set ${name}, or write \${${name}:default}; a literal \${ is written $\${.`,
  }
}

function shellWarning(text: string, { name, rawOffset }: Reference): string {
  const { line } = lineAndColumn(text, rawOffset)
  return `line ${line}: the default of \${${name}:-…} begins with "-"; the shell's form has no meaning here, write \${${name}:…}`
}

function yamlProblem(
  expanded: ExpandedText,
  fault: { start: number; end: number; message: string },
): ConfigProblem {
  const variable = expanded.variableIn(fault.start, Math.max(fault.end, fault.start + 1))
  const message =
    variable === undefined
      ? expanded.mask(fault.message)
      : `the value of \${${variable}} is not valid YAML here`
  // `workers: [- iii-http]` mixes the two ways to write a list.
  if (variable === undefined && /^Block collections are not allowed/.test(fault.message)) {
    return {
      path: '',
      ...expanded.position(fault.start),
      message,
      suggestion: `Instead of \`[- …]\`, ${ENTRY_FORM}.`,
    }
  }
  const suggestion = variable === undefined ? undefined : `Put quotes around it: "\${${variable}}".`
  return { path: '', ...expanded.position(fault.start), message, suggestion }
}

function problemOf(expanded: ExpandedText, document: YamlDocument): (finding: Finding) => ConfigProblem {
  /** A key that came from the environment, or a part of it, is shown as its variable. */
  function shownKey(path: Path): PropertyKey {
    const { start, end } = document.locate(path, true)
    const variable = typeof path.at(-1) === 'number' ? undefined : expanded.variableIn(start, end)
    return variable === undefined ? path.at(-1)! : `\${${variable}}`
  }
  return ({ path, aboutKey, message, suggestion }) => ({
    path: pathText(path.map((_, depth) => shownKey(path.slice(0, depth + 1)))),
    ...expanded.position(document.locate(path, aboutKey).start),
    message: expanded.mask(message),
    suggestion: suggestion === undefined ? undefined : expanded.mask(suggestion),
  })
}

/** `workers[0].config["my key"]` */
function pathText(path: Path): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`
    const name = String(key)
    if (!/^[\w-]+$/.test(name)) return `${text}[${JSON.stringify(name)}]`
    return text === '' ? name : `${text}.${name}`
  }, '')
}

function inOrder(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const rank = (problem: ConfigProblem): number => (problem.line ?? 0) * 100_000 + (problem.column ?? 0)
  return problems.toSorted((one, other) => rank(one) - rank(other))
}
