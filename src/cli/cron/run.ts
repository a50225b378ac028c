/**
 * `iii cron …`: each command is one function of `iii-cron`, whose answer is printed.
 *
 * The answer goes to stdout and nothing else does; what went wrong goes to stderr.
 */
import { limits } from '../../protocol/limits.ts'
import { usageError } from '../commandError.ts'
import type { ActionParts } from '../commandGroup.ts'
import { parseExact } from '../exactJson.ts'
import { exitCodes } from '../exitCodes.ts'
import { askBuiltIn, type Fixes, jsonDocument, shownJson } from '../question.ts'
import { textIn } from '../reading.ts'
import type { Terminal } from '../terminal.ts'
import type { AddressFlags } from '../trigger/address.ts'
import { describeHistory, describeNext, describeSchedules, whatIsMissing, whoIsMissing } from './describe.ts'

export interface CronFlags extends AddressFlags {
  readonly json?: boolean
}

export interface CronNextFlags extends CronFlags {
  readonly expression?: string
  readonly timezone?: string
  readonly count?: number
}

interface Asked {
  readonly name: 'list' | 'next' | 'history' | 'run' | 'pause' | 'resume'
  readonly input: object
  readonly timeoutMs?: number
  /** What people read. */
  readonly describe: (answer: unknown) => string
}

/** Returns the exit code. */
async function ask(
  { name, input, timeoutMs = limits.commandInfoMs, describe }: Asked,
  flags: CronFlags,
  { terminal, dialler }: ActionParts,
): Promise<number> {
  const question = { command: 'cron', builtIn: 'iii-cron', functionId: `cron::${name}`, input, timeoutMs }
  const reply = await askBuiltIn(question, fixes(terminal), flags, terminal, dialler)
  if ('exitCode' in reply) return reply.exitCode
  const text = flags.json ? jsonDocument(reply.answer) : describe(parseExact(reply.answer))
  if (text !== '') await terminal.out(text)
  return exitCodes.success
}

const fixes = ({ command: { iii } }: Terminal): Fixes => ({
  NOT_FOUND: `name one of these: ${iii('cron ls')}`,
  CONDITION_NOT_MET: 'nothing, if that is meant; else look at the condition of its trigger',
  NO_WORKER: `start the worker that registers it; what it did until now: ${iii('cron history NAME')}`,
  CANCELLED: 'nothing: the next tick is at work, as its `overlap: cancel_previous` says',
  trigger_registration_failed: 'docs/cron.md#expressions says what an expression may be',
})

export function listSchedules(
  flags: CronFlags & { readonly limit?: number },
  parts: ActionParts,
): Promise<number> {
  const { terminal, wallClock } = parts
  const describe = (answer: unknown): string => {
    const missing = whatIsMissing(answer)
    if (missing !== undefined)
      terminal.err(`note: ${missing}; --limit ${limits.subscriptionRows} shows more\n`)
    return describeSchedules(answer, wallClock(), terminal.outColours)
  }
  return ask({ name: 'list', input: { limit: flags.limit }, describe }, flags, parts)
}

export async function showNext(
  id: string | undefined,
  flags: CronNextFlags,
  parts: ActionParts,
): Promise<number> {
  const { expression, timezone, count } = flags
  const { iii } = parts.terminal.command
  if ((id === undefined) === (expression === undefined))
    throw usageError(
      id === undefined ? 'no schedule is named' : 'a schedule and an expression are named',
      `write ${iii('cron next NAME')} or ${iii("cron next --expression '0 9 * * *'")}`,
    )
  if (timezone !== undefined && id !== undefined)
    throw usageError(
      '--timezone belongs to --expression',
      'leave it out: a schedule has a time zone of its own',
    )
  const describe = (answer: unknown): string => describeNext(answer, parts.wallClock())
  return ask({ name: 'next', input: { id, expression, timezone, count }, describe }, flags, parts)
}

export function showHistory(id: string, flags: CronFlags, parts: ActionParts): Promise<number> {
  const { terminal } = parts
  const describe = (answer: unknown): string => {
    const missing = whoIsMissing(answer)
    if (missing !== undefined) terminal.err(`note: ${missing}\n`)
    return describeHistory(answer, terminal.outColours)
  }
  return ask({ name: 'history', input: { id }, describe }, flags, parts)
}

/** Waits until its function has answered. */
export function runNow(
  id: string,
  flags: CronFlags & { readonly timeoutMs?: number },
  parts: ActionParts,
): Promise<number> {
  const { timeoutMs = limits.cronTimeoutMs } = flags
  const describe = (answer: unknown): string => (answer === null ? '' : shownJson(answer))
  return ask({ name: 'run', input: { id }, timeoutMs, describe }, flags, parts)
}

export function pause(id: string, flags: CronFlags, parts: ActionParts): Promise<number> {
  const { iii } = parts.terminal.command
  const describe = (answer: unknown): string =>
    `${textIn(answer, 'name')} is paused; it goes on with: ${iii(`cron resume ${shellWord(id)}`)}\n`
  return ask({ name: 'pause', input: { id }, describe }, flags, parts)
}

export function resume(id: string, flags: CronFlags, parts: ActionParts): Promise<number> {
  const describe = (answer: unknown): string => `${textIn(answer, 'name')} goes on\n`
  return ask({ name: 'resume', input: { id }, describe }, flags, parts)
}

/** As it is typed in a shell. */
const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
