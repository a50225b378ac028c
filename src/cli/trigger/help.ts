/** `iii trigger FUNCTION_ID --help`: what the function itself says about its parameters. */
import { redactText } from '../../log/redact.ts'
import { toJsonText } from '../../protocol/jsonText.ts'
import { limits } from '../../protocol/limits.ts'
import { messageOf } from '../commandError.ts'
import { parseExact } from '../exactJson.ts'
import { exitCodes } from '../exitCodes.ts'
import type { SpokenCommand } from '../spokenCommand.ts'
import type { Terminal } from '../terminal.ts'
import { ask, type Dialler, withClient } from './connection.ts'
import { describeFunction } from './parameters.ts'
import { suggestFunction } from './suggest.ts'

export interface HelpRequest {
  readonly functionId: string
  readonly namespace: string | undefined
  readonly address: string
  /** Shown when the engine cannot be asked. */
  readonly staticHelp: string
}

/** Returns the exit code. */
export async function showParameters(
  { functionId, namespace, address, staticHelp }: HelpRequest,
  terminal: Terminal,
  dialler: Dialler,
): Promise<number> {
  const input = toJsonText({ function_id: functionId, namespace })
  const outcome = await withClient(address, terminal, dialler, async client => {
    const about = 'engine::functions::info'
    const { error, result } = await ask(client, about, input, undefined, limits.commandInfoMs)
    if (error === undefined) return { kind: 'answered', result }
    const near = await suggestFunction(client, functionId, namespace ?? 'default')
    return { kind: 'failed', error, afterMs: 0, fix: unknownFunction(near, terminal.command) }
  })
  switch (outcome.kind) {
    case 'answered':
      await terminal.out(describeFunction(parseExact(outcome.result ?? 'null'), functionId))
      return exitCodes.success
    case 'interrupted':
      return outcome.exitCode
    case 'unreachable':
      terminal.err(
        `warning: ${unreachable(address, outcome.why, terminal.command)}; so the parameters of '${messageOf(functionId)}' are not known\n`,
      )
      await terminal.out(staticHelp)
      return exitCodes.success
    case 'failed':
      terminal.err(`Error: ${messageOf(outcome.error.message)}\nfix: ${outcome.fix}\n`)
      return exitCodes.failure
  }
}

export function unreachable(address: string, why: string, { serve }: SpokenCommand): string {
  const fix = `start one: ${serve()}; or name another with --address and --port`
  return messageOf(`no engine answers at ${redactText(address)}: ${why} (${fix})`)
}

/** What to do about a function that is not there. */
export function unknownFunction(suggestion: string | undefined, { iii }: SpokenCommand): string {
  const first = suggestion === undefined ? '' : `${suggestion} `
  return `${first}List all functions with: ${iii('trigger engine::functions::list')}`
}
