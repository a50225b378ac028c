/**
 * `iii queue …`: each command is one function of `iii-queue`, whose answer is printed.
 *
 * The answer goes to stdout and nothing else does; progress, questions and what went wrong go to stderr.
 */
import { limits } from '../../protocol/limits.ts'
import { usageError } from '../commandError.ts'
import type { ActionParts } from '../commandGroup.ts'
import { parseExact } from '../exactJson.ts'
import { exitCodes } from '../exitCodes.ts'
import { askBuiltIn, type Fixes, jsonDocument, type Reply, shownJson } from '../question.ts'
import { memberOf, numberIn, textIn } from '../reading.ts'
import type { Terminal } from '../terminal.ts'
import type { AddressFlags } from '../trigger/address.ts'
import { describeDead, describeMessages, describeQueues } from './describe.ts'
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

/** Rows of a page, where nothing else is said. */
const ROWS = 20

function call(
  functionId: string,
  input: object,
  flags: QueueFlags,
  { terminal, dialler }: ActionParts,
  timeoutMs: number = limits.commandInfoMs,
): Promise<Reply> {
  const question = { command: 'queue', builtIn: 'iii-queue', functionId, input, timeoutMs }
  return askBuiltIn(question, fixes(terminal), flags, terminal, dialler)
}

/** Returns the exit code. `describe`: what people read. */
async function show(
  functionId: string,
  input: object,
  describe: (answer: unknown) => string,
  flags: QueueFlags,
  parts: ActionParts,
): Promise<number> {
  const reply = await call(functionId, input, flags, parts)
  if ('exitCode' in reply) return reply.exitCode
  await parts.terminal.out(flags.json ? jsonDocument(reply.answer) : describe(parseExact(reply.answer)))
  return exitCodes.success
}

const fixes = ({ command: { iii } }: Terminal): Fixes => ({
  NOT_FOUND: `look for it: ${iii('queue peek QUEUE')}; a message that is done is gone`,
})

export function listQueues(flags: ListFlags, parts: ActionParts): Promise<number> {
  const { limit, cursor } = flags
  const { terminal } = parts
  const describe = (answer: unknown): string => {
    noteMore(answer, terminal)
    return describeQueues(answer, terminal.outColours)
  }
  return show('queue::list', { limit, cursor }, describe, flags, parts)
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
  return show('queue::messages', { queue, state, limit, cursor, with_data: true }, describe, flags, parts)
}

export function showMessage(id: string, flags: QueueFlags, parts: ActionParts): Promise<number> {
  return show('queue::message', { message_id: id }, shownJson, flags, parts)
}

export function listDead(topic: string, flags: DeadFlags, parts: ActionParts): Promise<number> {
  const { limit = ROWS } = flags
  const describe = (answer: unknown): string =>
    describeDead(answer, parts.wallClock(), parts.terminal.outColours)
  return show('engine::queue::dlq_messages', { topic, limit }, describe, flags, parts)
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
    const describe = (answer: unknown): string =>
      numberIn(answer, 'redriven') === 1
        ? `${message} is tried again\n`
        : `${message} is not among the dead messages of ${queue}\n`
    return show('iii::queue::redrive_message', { queue, message_id: message }, describe, flags, parts)
  }
  const sinceMs = since === undefined ? undefined : timeOf(since, parts.wallClock())
  const isFiltered = filter !== undefined || sinceMs !== undefined
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
  await terminal.out(flags.json ? `${JSON.stringify({ queue, redriven })}\n` : `${redriven} redriven\n`)
  return exitCodes.success
}

export function discard(queue: string, id: string, flags: QueueFlags, parts: ActionParts): Promise<number> {
  const describe = (answer: unknown): string =>
    numberIn(answer, 'redriven') === 1
      ? `${id} is gone\n`
      : `${id} is not among the dead messages of ${queue}\n`
  return show('iii::queue::discard_message', { queue, message_id: id }, describe, flags, parts)
}

export function pause(queue: string, flags: QueueFlags, parts: ActionParts): Promise<number> {
  const { iii } = parts.terminal.command
  const describe = (answer: unknown): string =>
    `${textIn(answer, 'queue')} is paused; it goes on with: ${iii(`queue resume ${queue}`)}\n`
  return show('queue::pause', { queue }, describe, flags, parts)
}

export function resume(queue: string, flags: QueueFlags, parts: ActionParts): Promise<number> {
  return show('queue::resume', { queue }, answer => `${textIn(answer, 'queue')} goes on\n`, flags, parts)
}

export async function purge(queue: string, flags: PurgeFlags, parts: ActionParts): Promise<number> {
  const { state, yes } = flags
  const { terminal } = parts
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
  return show('queue::purge', { queue, state }, describe, flags, parts)
}

export function cancel(id: string, flags: QueueFlags, parts: ActionParts): Promise<number> {
  const describe = (answer: unknown): string =>
    numberIn(answer, 'cancelled') === 1 ? `${id} is gone\n` : `${id} is done, dead, or was never there\n`
  return show('queue::cancel', { message_id: id }, describe, flags, parts)
}
