/**
 * `iii queue …`: each command is one function of `iii-queue`, whose answer is printed.
 *
 * The answer goes to stdout and nothing else does; progress, questions and what went wrong go to stderr.
 */
import { limits } from '../../protocol/limits.ts'
import { CommandError, usageError } from '../commandError.ts'
import type { ActionParts } from '../commandGroup.ts'
import { parseExact } from '../exactJson.ts'
import { exitCodes } from '../exitCodes.ts'
import { askBuiltIn, type Fixes, jsonDocument, type Reply, shownJson } from '../question.ts'
import { memberOf, numberIn, textIn } from '../reading.ts'
import type { Terminal } from '../terminal.ts'
import type { AddressFlags } from '../trigger/address.ts'
import { describeDead, describeMessages, describeQueues } from './describe.ts'
import { requireQueue } from './known.ts'
import { describeProgress } from './progress.ts'

export interface QueueFlags extends AddressFlags {
  readonly json?: boolean
}

export interface ListFlags extends QueueFlags {
  readonly limit?: number
  readonly cursor?: string
}

export interface PeekFlags extends ListFlags {
  readonly state?: string
}

export interface DeadFlags extends QueueFlags {
  readonly limit?: number
}

export interface RedriveFlags extends QueueFlags {
  readonly message?: string
  readonly limit?: number
  readonly rate?: number
  readonly filter?: string
  readonly since?: string
}

export interface PurgeFlags extends QueueFlags {
  readonly state?: string
  readonly yes?: boolean
}

/** Of a redrive with a rate. */
const SECONDS_OF_PORTION = 2

/** Nothing else of what is typed for a page is left to the engine to read. */
const WRONG_CURSOR = {
  fix: 'leave --cursor out to begin with the first page, or copy the one of the page before',
  exitCode: exitCodes.usage,
}

/** Rows of a page, where nothing else is said. */
const ROWS = 20

function call(
  functionId: string,
  input: object,
  flags: QueueFlags,
  { terminal, dialler }: ActionParts,
  timeoutMs: number = limits.commandInfoMs,
  more: Fixes = {},
): Promise<Reply> {
  const question = { command: 'queue', builtIn: 'iii-queue', functionId, input, timeoutMs }
  return askBuiltIn(question, { ...usualFixes(terminal), ...more }, flags, terminal, dialler)
}

interface Asked {
  /** It has to be there. For advice: the word of the command, and what stands behind the queue. */
  readonly of?: { readonly queue: string; readonly word: string; readonly rest?: string }
  readonly functionId: string
  readonly input: object
  /** What people read. */
  readonly describe: (answer: unknown) => string
  /** Throws a `CommandError` if nothing was done. */
  readonly check?: (answer: unknown) => void
  /** Beside those of all. */
  readonly fixes?: Fixes
}

/** Returns the exit code. */
async function show(
  { of, functionId, input, describe, check, fixes }: Asked,
  flags: QueueFlags,
  parts: ActionParts,
): Promise<number> {
  const missing = of === undefined ? undefined : await missingQueue(of, flags, parts)
  if (missing !== undefined) return missing
  const reply = await call(functionId, input, flags, parts, limits.commandInfoMs, fixes)
  if ('exitCode' in reply) return reply.exitCode
  check?.(parseExact(reply.answer))
  await parts.terminal.out(flags.json ? jsonDocument(reply.answer) : describe(parseExact(reply.answer)))
  return exitCodes.success
}

const usualFixes = ({ command: { iii } }: Terminal): Fixes => ({
  NOT_FOUND: `look for it: ${iii('queue peek QUEUE')}; a message that is done is gone`,
})

/** Throws a `CommandError` if there is no such queue. Returns the exit code if that could not be found out. */
async function missingQueue(
  { queue, word, rest = '' }: NonNullable<Asked['of']>,
  flags: QueueFlags,
  parts: ActionParts,
): Promise<number | undefined> {
  const list = await call('engine::queue::list_topics', {}, flags, parts)
  if ('exitCode' in list) return list.exitCode
  requireQueue(list.answer, queue, parts.terminal.command, name => `queue ${word} ${name}${rest}`)
  return undefined
}

/** Thrown, so that a script hears of it: nothing was done. */
function notThere(message: string, fix: string): never {
  throw new CommandError(message, { code: 'NOT_FOUND', fix })
}

export function listQueues(flags: ListFlags, parts: ActionParts): Promise<number> {
  const { limit, cursor } = flags
  const { terminal } = parts
  const describe = (answer: unknown): string => {
    noteMore(answer, terminal)
    return describeQueues(answer, terminal.outColours)
  }
  const fixes = { deserialization_error: WRONG_CURSOR }
  return show({ functionId: 'queue::list', input: { limit, cursor }, describe, fixes }, flags, parts)
}

function noteMore(answer: unknown, terminal: Terminal): void {
  const next = memberOf(answer, 'cursor')
  if (typeof next === 'string') terminal.err(`note: there may be more; go on with --cursor ${next}\n`)
}

export function peek(queue: string, flags: PeekFlags, parts: ActionParts): Promise<number> {
  const { state, limit = ROWS, cursor } = flags
  const { terminal, wallClock } = parts
  const describe = (answer: unknown): string => {
    noteMore(answer, terminal)
    return describeMessages(answer, wallClock(), terminal.outColours)
  }
  const input = { queue, state, limit, cursor, with_data: true }
  const of = { queue, word: 'peek' }
  const fixes = { deserialization_error: WRONG_CURSOR }
  return show({ of, functionId: 'queue::messages', input, describe, fixes }, flags, parts)
}

export function showMessage(id: string, flags: QueueFlags, parts: ActionParts): Promise<number> {
  const asked = { functionId: 'queue::message', input: { message_id: id }, describe: shownJson }
  return show(asked, flags, parts)
}

export function listDead(topic: string, flags: DeadFlags, parts: ActionParts): Promise<number> {
  const { limit = ROWS } = flags
  const describe = (answer: unknown): string =>
    describeDead(answer, parts.wallClock(), parts.terminal.outColours)
  const of = { queue: topic, word: 'dlq' }
  const input = { topic, limit }
  return show({ of, functionId: 'engine::queue::dlq_messages', input, describe }, flags, parts)
}

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** `30m` ago, or a date. Milliseconds since 1970. */
function timeOf(since: string, nowMs: number): number {
  const [, count, unit] = /^(\d+)([smhd])$/.exec(since) ?? []
  if (count !== undefined) return Math.max(0, nowMs - Number(count) * UNITS[unit as keyof typeof UNITS])
  const ms = Date.parse(since)
  if (Number.isNaN(ms) || ms < 0)
    throw usageError(
      `--since ${since} is no time`,
      'say how long ago, as 30m or 2h, or when, as 2026-05-01T10:00:00Z',
    )
  return ms
}

/** Portion by portion, so that it can be followed and interrupted. Those that die meanwhile are not among them. */
export async function redrive(queue: string, flags: RedriveFlags, parts: ActionParts): Promise<number> {
  const { message, limit, rate, filter, since } = flags
  if (message !== undefined) {
    const other = (['limit', 'rate', 'filter', 'since'] as const).find(name => flags[name] !== undefined)
    if (other !== undefined)
      throw usageError(`--message and --${other} are both given`, 'name one message, or say which of them')
    return actOnDead('redrive', 'is tried again', queue, message, flags, parts)
  }
  const sinceMs = since === undefined ? undefined : timeOf(since, parts.wallClock())
  const isFiltered = filter !== undefined || sinceMs !== undefined
  const missing = await missingQueue({ queue, word: 'redrive' }, flags, parts)
  if (missing !== undefined) return missing
  const stats = await call('queue::stats', { queue }, flags, parts)
  if ('exitCode' in stats) return stats.exitCode
  const dead = numberIn(parseExact(stats.answer), 'dlq_depth') ?? 0
  const all = Math.min(dead, limit ?? dead)
  const progress = describeProgress(parts.terminal, 'redriven', isFiltered ? undefined : all)
  let redriven = 0
  while (redriven < all) {
    const most = rate === undefined ? limits.queueBatch : rate * SECONDS_OF_PORTION
    const portion = Math.min(limits.queueBatch, most, all - redriven)
    const input = { queue, limit: portion, rate_per_second: rate, error: filter, since: sinceMs }
    const reply = await call('iii::queue::redrive', input, flags, parts, limits.commandRedriveMs)
    if ('exitCode' in reply) {
      progress.end()
      return reply.exitCode
    }
    const count = numberIn(parseExact(reply.answer), 'redriven') ?? 0
    if (count === 0) break
    redriven += count
    progress.at(redriven)
  }
  progress.end()
  const { terminal } = parts
  await terminal.out(flags.json ? shownJson({ queue, redriven }) : `${redriven} redriven\n`)
  return exitCodes.success
}

export function discard(queue: string, id: string, flags: QueueFlags, parts: ActionParts): Promise<number> {
  return actOnDead('discard', 'is gone', queue, id, flags, parts)
}

/** Of one dead message. `done`: what it is then. */
function actOnDead(
  action: 'redrive' | 'discard',
  done: string,
  queue: string,
  id: string,
  flags: QueueFlags,
  parts: ActionParts,
): Promise<number> {
  const { iii } = parts.terminal.command
  const check = (answer: unknown): void => {
    if (numberIn(answer, 'redriven') === 0)
      notThere(
        `${id} is not among the dead messages of ${queue}`,
        `name one of these: ${iii(`queue dlq ${queue}`)}`,
      )
  }
  const asked = {
    of: { queue, word: action, rest: action === 'redrive' ? ` --message ${id}` : ` ${id}` },
    functionId: `iii::queue::${action}_message`,
    input: { queue, message_id: id },
    describe: () => `${id} ${done}\n`,
    check,
  }
  return show(asked, flags, parts)
}

export function pause(queue: string, flags: QueueFlags, parts: ActionParts): Promise<number> {
  const { iii } = parts.terminal.command
  const describe = (answer: unknown): string =>
    `${textIn(answer, 'queue')} is paused; it goes on with: ${iii(`queue resume ${queue}`)}\n`
  const of = { queue, word: 'pause' }
  return show({ of, functionId: 'queue::pause', input: { queue }, describe }, flags, parts)
}

export function resume(queue: string, flags: QueueFlags, parts: ActionParts): Promise<number> {
  const describe = (answer: unknown): string => `${textIn(answer, 'queue')} goes on\n`
  const of = { queue, word: 'resume' }
  return show({ of, functionId: 'queue::resume', input: { queue }, describe }, flags, parts)
}

export async function purge(queue: string, flags: PurgeFlags, parts: ActionParts): Promise<number> {
  const { state, yes } = flags
  const { terminal } = parts
  const missing = await missingQueue({ queue, word: 'purge' }, flags, parts)
  if (missing !== undefined) return missing
  if (yes !== true) {
    const what = state === undefined ? 'all messages' : `all messages that are ${state}`
    if (!terminal.interactive)
      throw usageError(
        `purging removes ${what} of ${queue} for good`,
        'add --yes if that is meant: nobody can be asked here',
      )
    const said = await terminal.ask(`Remove ${what} of ${queue} for good? [y/N] `)
    if (!/^y(es)?$/i.test(said?.trim() ?? '')) {
      terminal.err('Nothing was removed.\n')
      return exitCodes.failure
    }
  }
  const describe = (answer: unknown): string => `${numberIn(answer, 'purged') ?? 0} removed\n`
  return show({ functionId: 'queue::purge', input: { queue, state }, describe }, flags, parts)
}

export function cancel(id: string, flags: QueueFlags, parts: ActionParts): Promise<number> {
  const { iii } = parts.terminal.command
  const check = (answer: unknown): void => {
    if (numberIn(answer, 'cancelled') === 0)
      notThere(
        `${id} is done, dead, or was never there`,
        `look at it: ${iii(`queue message ${id}`)}; a dead one is removed with: ${iii(`queue discard QUEUE ${id}`)}`,
      )
  }
  const asked = {
    functionId: 'queue::cancel',
    input: { message_id: id },
    describe: () => `${id} is gone\n`,
    check,
  }
  return show(asked, flags, parts)
}
