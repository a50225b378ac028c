/** How a command fails: what went wrong, why, what to do. */
import { cleanText } from '../log/clean.ts'
import { redactText } from '../log/redact.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import { exitCodes } from './exitCodes.ts'

/** What a failure says besides its message. */
export interface FailureDetails {
  readonly code: ErrorCode
  readonly causes?: readonly string[]
  /** What to do; every failure says that. */
  readonly fix: string
  readonly exitCode?: number
}

/** The command cannot be carried out. Printed as lines `error: … [code]`, `cause:`, `fix:`. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly code: ErrorCode
  readonly causes: readonly string[]
  readonly fix: string
  readonly exitCode: number

  constructor(message: string, { code, causes = [], fix, exitCode = exitCodes.failure }: FailureDetails) {
    super(message)
    this.code = code
    this.causes = causes
    this.fix = fix
    this.exitCode = exitCode
  }
}

/** The command was written wrongly. Exit code 2. */
export function usageError(message: string, fix: string): CommandError {
  return new CommandError(message, { code: 'wrong_usage', exitCode: exitCodes.usage, fix })
}

/** A fault that no code expected; it is ours. */
function unexpected(error: unknown): CommandError {
  return new CommandError(error instanceof Error ? error.message : String(error), {
    code: 'unexpected_failure',
    fix: 'this is a fault of iii itself: report it with the command and the lines above',
  })
}

/** The lines to print, the last newline included. Anything thrown will do. */
export function describeFailure(thrown: unknown): string {
  const { message, code, causes, fix } = thrown instanceof CommandError ? thrown : unexpected(thrown)
  const lines = [`error: ${message} [${code}]`, ...causes.map(cause => `cause: ${cause}`), `fix: ${fix}`]
  return `${lines.map(line => cleanText(redactText(line))).join('\n')}\n`
}

/** The text of anything thrown, on one line. */
export function messageOf(error: unknown): string {
  return cleanText(redactText(error instanceof Error ? error.message : String(error)))
}
