/** How a command fails: what went wrong, why, what to do. */
import { cleanText } from '../log/clean.ts'
import { redactText } from '../log/redact.ts'
import { exitCodes } from './exitCodes.ts'

/** The command cannot be carried out. Printed as lines `error:`, `cause:`, `fix:`. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly causes: readonly string[]
  readonly fix: string | undefined
  readonly exitCode: number

  constructor(
    message: string,
    details: { causes?: readonly string[]; fix?: string; exitCode?: number } = {},
  ) {
    super(message)
    this.causes = details.causes ?? []
    this.fix = details.fix
    this.exitCode = details.exitCode ?? exitCodes.failure
  }
}

/** The command was written wrongly. Exit code 2. */
export function usageError(message: string, fix?: string): CommandError {
  return new CommandError(message, { exitCode: exitCodes.usage, ...(fix === undefined ? {} : { fix }) })
}

/** The lines to print, the last newline included. Anything thrown will do. */
export function describeFailure(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const { causes, fix } = error instanceof CommandError ? error : { causes: [], fix: undefined }
  const lines = [`error: ${message}`, ...causes.map(cause => `cause: ${cause}`)]
  if (fix !== undefined) lines.push(`fix: ${fix}`)
  return `${lines.map(line => cleanText(redactText(line))).join('\n')}\n`
}

/** The text of anything thrown, on one line. */
export function messageOf(error: unknown): string {
  return cleanText(redactText(error instanceof Error ? error.message : String(error)))
}
