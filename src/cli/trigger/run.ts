/**
 * `iii trigger`: joins the engine as a worker, makes one call, prints the answer.
 *
 * The result goes to stdout and nothing else does; what went wrong goes to stderr.
 */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { CallAction } from '../../../sdk/typescript/src/worker.ts'
import { cleanJson } from '../../log/clean.ts'
import { redactText } from '../../log/redact.ts'
import { isTimeoutCode } from '../../protocol/errors.ts'
import type { ErrorBody } from '../../protocol/frames.ts'
import { limits } from '../../protocol/limits.ts'
import { CommandError, messageOf, usageError } from '../commandError.ts'
import { parseExact, prettyJson } from '../exactJson.ts'
import { exitCodes } from '../exitCodes.ts'
import type { Terminal } from '../terminal.ts'
import { engineAddress } from './address.ts'
import { type Call, makeCall } from './call.ts'
import { type Dialler, type Outcome, withClient } from './connection.ts'
import { showParameters, unknownFunction, unreachable } from './help.ts'
import { buildPayload, type PayloadSource, readWords, type TriggerFlags } from './request.ts'
import { suggestFunction } from './suggest.ts'

/** Returns the exit code. `staticHelp` is what `--help` shows when no function is named or no engine answers. */
export async function runTrigger(
  words: readonly string[],
  flags: TriggerFlags,
  staticHelp: string,
  terminal: Terminal,
  dialler: Dialler,
): Promise<number> {
  const { functionId, pairs, source } = readWords(words, flags)
  const address = engineAddress(flags, terminal.env.III_URL)
  const { namespace, timeoutMs = limits.callTimeoutMs } = flags
  if (functionId === undefined) {
    if (!flags.help) {
      const { iii } = terminal.command
      const fix = `write ${iii('trigger FUNCTION_ID [key=value ...]')}; '${iii('trigger --help')}' shows more`
      throw usageError('no function is named', fix)
    }
    await terminal.out(staticHelp)
    return exitCodes.success
  }
  if (flags.help) return showParameters({ functionId, namespace, address, staticHelp }, terminal, dialler)

  const whole = source === undefined ? undefined : await readPayload(source, terminal)
  const data = buildPayload(whole, pairs, source?.option)
  const call: Call = {
    functionId,
    data,
    // Said aloud: else the client would take III_NAMESPACE, which is for workers.
    namespace: namespace ?? 'default',
    timeoutMs,
    action: actionOf(flags),
  }
  const outcome = await withClient(address, terminal, dialler, async client => {
    const made = await makeCall(client, call, dialler.clock)
    if (made.kind !== 'failed' || made.error.code !== 'function_not_found') return made
    // The error may be one that the function passes on from a call of its own.
    if (!made.error.message.includes(functionId)) return made
    const near = await suggestFunction(client, functionId, call.namespace)
    return { ...made, fix: unknownFunction(near, terminal.command) }
  })
  return report(outcome, call, address, terminal)
}

function actionOf({ void: isVoid, enqueue }: TriggerFlags): CallAction | undefined {
  if (isVoid) return { type: 'void' }
  return enqueue === undefined ? undefined : { type: 'enqueue', queue: enqueue }
}

async function readPayload(source: PayloadSource, terminal: Terminal): Promise<string> {
  if (source.from === 'text') return source.text
  if (source.from === 'input') return terminal.readInput()
  const path = resolve(terminal.cwd, source.path)
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new CommandError(`cannot read ${path}`, {
      code: 'input_unreadable',
      causes: [messageOf(error)],
      fix: 'name a readable JSON file',
    })
  }
}

async function report(outcome: Outcome, call: Call, address: string, terminal: Terminal): Promise<number> {
  switch (outcome.kind) {
    case 'answered': {
      const value = outcome.result === undefined ? null : parseExact(outcome.result)
      if (value !== null) await terminal.out(`${cleanJson(prettyJson(value))}\n`)
      return exitCodes.success
    }
    case 'interrupted':
      return outcome.exitCode
    case 'unreachable':
      terminal.err(`Error: ${unreachable(address, outcome.why, terminal.command)}\n`)
      return exitCodes.failure
    case 'failed': {
      const isTimeout = isOwnTimeout(outcome, call)
      terminal.err(`Error: ${isTimeout ? timedOut(call) : describeError(outcome.error, address)}\n`)
      if (outcome.fix !== undefined) terminal.err(`fix: ${outcome.fix}\n`)
      return isTimeout ? exitCodes.timeout : exitCodes.failure
    }
  }
}

/** A function may pass on the time-out of a call it made itself; that one is its error, and comes earlier. */
function isOwnTimeout(
  { error, afterMs }: { error: ErrorBody; afterMs: number },
  { timeoutMs }: Call,
): boolean {
  return isTimeoutCode(error.code) && afterMs >= timeoutMs
}

function timedOut({ functionId, timeoutMs }: Call): string {
  return messageOf(`'${functionId}' did not answer within ${timeoutMs} ms; it may still run`)
}

function describeError(error: ErrorBody, address: string): string {
  if (error.code !== 'CONNECTION_LOST') return cleanJson(prettyJson(error))
  return `the connection to ${redactText(address)} was lost before the answer came; the call may have run`
}
