/**
 * What a command asks a built-in worker: one call of one of its functions. `iii cron ls` is `cron::list`.
 *
 * Whatever goes wrong says what to do; the exit code is 124 when no answer came in time.
 */

import { cleanJson } from '../log/clean.ts'
import { redactText } from '../log/redact.ts'
import { type ErrorCode, isTimeoutCode } from '../protocol/errors.ts'
import type { ErrorBody } from '../protocol/frames.ts'
import { type JsonText, toJsonText } from '../protocol/jsonText.ts'
import { CommandError, messageOf } from './commandError.ts'
import { parseExact, prettyJson } from './exactJson.ts'
import { exitCodes } from './exitCodes.ts'
import type { Terminal } from './terminal.ts'
import { type AddressFlags, engineAddress } from './trigger/address.ts'
import { ask, type Dialler, withClient } from './trigger/connection.ts'

export interface Question {
  /** The engine sees the command as the worker `iii-cli:<command>`. */
  readonly command: string
  /** The built-in that has the function, by its name in `config.yaml`. */
  readonly builtIn: string
  readonly functionId: string
  readonly input: unknown
  readonly timeoutMs: number
}

/** What to do about errors of the function, by their codes; with the exit code if it is not 1. One that is not here is shown as it came. */
export type Fixes = {
  readonly [Code in ErrorCode]?: string | { readonly fix: string; readonly exitCode: number }
}

/** How a question ends: with an answer, or with an exit code after everything has been said. */
export type Reply = { readonly answer: JsonText } | { readonly exitCode: number }

/** Throws a `CommandError` for what the command can explain. */
export async function askBuiltIn(
  question: Question,
  fixes: Fixes,
  flags: AddressFlags,
  terminal: Terminal,
  dialler: Dialler,
): Promise<Reply> {
  const { command, functionId, input, timeoutMs } = question
  const address = engineAddress(flags, terminal.env.III_URL)
  const outcome = await withClient(
    address,
    terminal,
    dialler,
    async client => {
      // Said aloud: else the client would take III_NAMESPACE, which is for workers.
      const startedAt = dialler.clock.now()
      const { error, result } = await ask(client, functionId, toJsonText(input), 'default', timeoutMs)
      if (error === undefined) return { kind: 'answered', result }
      return { kind: 'failed', error, afterMs: dialler.clock.now() - startedAt }
    },
    `iii-cli:${command}`,
  )
  switch (outcome.kind) {
    case 'answered':
      return { answer: outcome.result ?? toJsonText(null) }
    case 'interrupted':
      return { exitCode: outcome.exitCode }
    case 'unreachable':
      throw new CommandError(`no engine answers at ${redactText(address)}`, {
        code: 'ENGINE_UNREACHABLE',
        causes: [outcome.why],
        fix: `start one: ${terminal.command.serve()}; or name another with --address and --port`,
      })
    case 'failed': {
      const explained = explain(outcome, question, fixes, address)
      if (explained !== undefined) throw explained
      terminal.err(`Error: ${cleanJson(prettyJson(outcome.error))}\n`)
      return { exitCode: exitCodes.failure }
    }
  }
}

/** `undefined`: it is an error of somebody's function, and says itself what it means. */
function explain(
  { error: { code, message }, afterMs }: { error: ErrorBody; afterMs: number },
  { builtIn, functionId, timeoutMs }: Question,
  fixes: Fixes,
  address: string,
): CommandError | undefined {
  const where = redactText(address)
  // An error that a function passes on from a call of its own names another one.
  if (code === 'function_not_found' && message.includes(functionId))
    return new CommandError(`the engine at ${where} has no ${functionId}`, {
      code,
      causes: [`its built-in worker ${builtIn} is not started`],
      fix: `add \`- name: ${builtIn}\` to \`workers:\` in its config.yaml and start it again`,
    })
  if (isTimeoutCode(code) && afterMs >= timeoutMs)
    return new CommandError(`${functionId} did not answer within ${timeoutMs} ms; it may still be at work`, {
      code: 'TIMEOUT',
      fix: 'look at the log of the engine, or try again',
      exitCode: exitCodes.timeout,
    })
  if (code === 'CONNECTION_LOST')
    return new CommandError(`the connection to ${where} was lost before the answer came`, {
      code,
      fix: 'try again when the engine is back; what was asked for may have been done',
    })
  const fix = Object.hasOwn(fixes, code) ? fixes[code as ErrorCode] : undefined
  return fix === undefined
    ? undefined
    : new CommandError(messageOf(message), {
        code: code as ErrorCode,
        ...(typeof fix === 'string' ? { fix } : fix),
      })
}

/** A value that `parseExact` has read, indented, the newline included. */
export const shownJson = (value: unknown): string => `${cleanJson(prettyJson(value))}\n`

/** A document as `--json` prints it. */
export const jsonDocument = (answer: JsonText): string => shownJson(parseExact(answer))
