/**
 * Conditions that are expressions: `status == "pending" && total > 100`, in CEL, the Common Expression Language.
 *
 * An expression is compiled when its trigger is bound, and then asked about each event. It has no side effects and its
 * cost is bounded: no loops, no regular expressions, a bounded number of parts, each of which looks at the event once at most.
 *
 * What is absent is neither true nor false, like NULL in a database: `status == "a"` and `status != "a"` both do not hold
 * for an event without `status`, `has(status)` says whether it is there, and `a == 1 || b == 2` needs one of the two.
 */
import type { ASTNode, Environment } from '@marcbachmann/cel-js'
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import { shortened } from '../log/notices.ts'
import { limits } from '../protocol/limits.ts'

/** `run`: it holds; `skip`: it does not; otherwise the reason why that cannot be said, as a sentence. */
export type Verdict = 'run' | 'skip' | { readonly error: string }

export interface Condition {
  readonly text: string
  /** `event`: what `parseEvent` made of the payload. Never throws. */
  holds(event: unknown): Verdict
}

export interface ConditionOptions {
  /** Member of the event whose members can be named like those of the event itself; those of the event come first. */
  readonly lookIn?: string
}

/** The whole event, unless it has a member of this name. */
const WHOLE = 'event'
/** Members of the event by name, for `has(name)`: the language itself has only `has(a.b)`, and that only if there is an `a`. */
const NAMED = '__named'

/** Each is done with one look at the event. */
const FUNCTIONS = new Set([
  'has',
  'size',
  'contains',
  'startsWith',
  'endsWith',
  'int',
  'double',
  'string',
  'dyn',
])

/** What an expression says about something that is not there. */
const ABSENT: ReadonlySet<string> = new Set(['unknown_variable', 'no_such_key', 'index_out_of_bounds'])

/** `optional`: with `a.?b`, which is absent where there is no `a`. For our own use. */
function createEnvironment(optional: boolean): Environment {
  const environment = new (library().Environment)({
    // Names are those of the event, and what kind of value each has is not known before it comes.
    unlistedVariablesAreDyn: true,
    homogeneousAggregateLiterals: false,
    enableOptionalTypes: optional,
    limits: { maxAstNodes: limits.conditionParts, maxDepth: limits.conditionDepth },
  })
  // Numbers of an event are doubles, those of an expression often integers; comparisons know both already.
  const operators: Record<string, (a: number, b: number) => number> = {
    '+': (a, b) => a + b,
    '-': (a, b) => a - b,
    '*': (a, b) => a * b,
    '/': (a, b) => a / b,
  }
  for (const [operator, compute] of Object.entries(operators)) {
    const onNumbers = (a: unknown, b: unknown): number => compute(Number(a), Number(b))
    environment.registerOperator(`double ${operator} int`, onNumbers)
    environment.registerOperator(`int ${operator} double`, onNumbers)
  }
  return environment
}

type Library = typeof import('@marcbachmann/cel-js')

/** Loaded with the first expression, and at once: few engines have any, and 25 ms of each start are saved. */
const library = (): Library => require('@marcbachmann/cel-js') as Library

let written: Environment | undefined
let asked: Environment | undefined

function refuse(why: string): never {
  throw new HandlerError('trigger_registration_failed', `condition: ${why}`)
}

function refuseAt(position: number, why: string): never {
  return refuse(`${why} (at character ${position + 1})`)
}

/** Throws a `HandlerError` when it cannot be compiled: with the position, counted in characters from 1. */
export function compileCondition(text: unknown, { lookIn }: ConditionOptions = {}): Condition {
  if (typeof text !== 'string' || text.trim() === '') return refuse('it must be a text that is not blank')
  if (text.length > limits.conditionLength)
    refuse(`it has ${text.length} characters; ${limits.conditionLength} are the most`)
  written ??= createEnvironment(false)
  asked ??= createEnvironment(true)
  const found: Found = { names: new Set(), inserts: [] }
  look(parse(written, text).ast, found)
  const { names, inserts } = found
  // From the last one on, so that positions stay.
  let whole = text
  for (const [at, more] of inserts.sort(([a], [b]) => b - a))
    whole = whole.slice(0, at) + more + whole.slice(at)
  const evaluate = parse(asked, whole)
  const checked = evaluate.check()
  if (!checked.valid) refuse(`${firstLine(checked.error)}`)
  if (checked.type !== undefined && checked.type !== 'bool' && checked.type !== 'dyn')
    refuse(`it is of type ${checked.type}; a condition is true or false`)
  const needsNamed = inserts.length > 0

  function named(event: unknown): Record<string, unknown> {
    const values: Record<string, unknown> = Object.create(null)
    const second = lookIn === undefined ? undefined : memberOf(event, lookIn)
    for (const name of names) {
      let value = memberOf(event, name)
      if (value === undefined) value = memberOf(second, name)
      if (value === undefined && name === WHOLE) value = event
      if (value !== undefined) values[name] = value
    }
    return values
  }

  return {
    text,
    holds(event) {
      const context = named(event)
      if (needsNamed) context[NAMED] = { ...context }
      try {
        const result = evaluate(context)
        if (result === true) return 'run'
        if (result === false) return 'skip'
        return { error: 'the condition is neither true nor false' }
      } catch (thrown) {
        if (thrown instanceof library().EvaluationError && ABSENT.has(thrown.code)) return 'skip'
        return { error: firstLine(thrown) }
      }
    },
  }
}

function parse(environment: Environment, text: string): ReturnType<Environment['parse']> {
  try {
    return environment.parse(text)
  } catch (thrown) {
    if (thrown instanceof library().ParseError && thrown.range !== undefined)
      return refuseAt(thrown.range.start, firstLine(thrown))
    return refuse(firstLine(thrown))
  }
}

/** Later lines of these messages show the expression again. */
function firstLine(thrown: unknown): string {
  return shortened(
    thrown instanceof Error ? thrown.message.split('\n', 1)[0]! : 'it cannot be evaluated',
    200,
  )
}

/** Own members only: nobody asks an event for what objects of this runtime have beside. */
function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
}

interface Found {
  /** Of members of the event. */
  readonly names: Set<string>
  /** What has to be inserted so that `has(a.b)` is asked as `has(__named.?a.b)`. */
  readonly inserts: [at: number, more: string][]
}

/** Finds out what an expression needs; refuses calls of other functions than ours. */
function look(node: ASTNode, found: Found): void {
  switch (node.op) {
    case 'value':
      return
    case 'id':
      if (node.args === NAMED) refuseAt(node.start, `the name ${NAMED} is not free`)
      found.names.add(node.args)
      return
    case '.':
      look(node.args[0], found)
      return
    case 'call': {
      const [name, given] = node.args
      allow(name, node.start)
      if (name === 'has' && given[0] !== undefined) askOptionally(given[0], found)
      for (const part of given) look(part, found)
      return
    }
    case 'rcall': {
      const [name, receiver, given] = node.args
      allow(name, node.start)
      for (const part of [receiver, ...given]) look(part, found)
      return
    }
    default:
      for (const part of partsOf(node.args)) look(part, found)
  }
}

function askOptionally(node: ASTNode, { inserts }: Found): void {
  let at = node
  for (; at.op === '.'; at = at.args[0]) {
    if (at !== node) inserts.push([node.input.indexOf('.', at.args[0].end) + 1, '?'])
  }
  if (at.op === 'id') inserts.push([at.start, at === node ? `${NAMED}.` : `${NAMED}.?`])
}

/** Operands of an operator, elements of a list, keys and values of a map. */
function partsOf(args: unknown): ASTNode[] {
  return Array.isArray(args) ? args.flatMap(partsOf) : [args as ASTNode]
}

function allow(name: string, position: number): void {
  if (FUNCTIONS.has(name)) return
  const known = [...FUNCTIONS].join(', ')
  refuseAt(position, `there is no function '${shortened(name)}' here; there are ${known}`)
}
