/**
 * `iii status`: joins the engine as a worker, asks it how it is, prints the answer; with `--watch` again and again.
 *
 * The status goes to stdout and nothing else does; what went wrong goes to stderr.
 */
import { redactText } from '../../log/redact.ts'
import { isTimeoutCode } from '../../protocol/errors.ts'
import type { ErrorBody } from '../../protocol/frames.ts'
import { JSON_EMPTY_OBJECT } from '../../protocol/jsonText.ts'
import { limits } from '../../protocol/limits.ts'
import { messageOf } from '../commandError.ts'
import { parseExact, prettyJson } from '../exactJson.ts'
import { exitCodes } from '../exitCodes.ts'
import type { Terminal } from '../terminal.ts'
import { type AddressFlags, engineAddress } from '../trigger/address.ts'
import { ask, type Dialler, type Outcome, withClient } from '../trigger/connection.ts'
import { unreachable } from '../trigger/help.ts'
import { describeStatus } from './describe.ts'

export interface StatusFlags extends AddressFlags {
  readonly json?: boolean
  readonly watch?: boolean
}

const STATUS = 'engine::status'
const WORKER_NAME = 'iii-cli:status'

/** Returns the exit code. */
export async function runStatus(flags: StatusFlags, terminal: Terminal, dialler: Dialler): Promise<number> {
  const address = engineAddress(flags, terminal.env.III_URL)
  const { clock } = dialler
  const outcome = await withClient(
    address,
    terminal,
    dialler,
    async client => {
      while (true) {
        const { error, result } = await ask(
          client,
          STATUS,
          JSON_EMPTY_OBJECT,
          undefined,
          limits.commandInfoMs,
        )
        if (error !== undefined) return { kind: 'failed', error, afterMs: 0 }
        if (!flags.watch) return { kind: 'answered', result }
        await terminal.out(written(result ?? 'null', flags))
        await new Promise<void>(resolve => clock.after(limits.statusWatchMs, resolve))
      }
    },
    WORKER_NAME,
  )
  return report(outcome, flags, address, terminal)
}

/** With `--watch`, one document for each line or one table after the other. */
function written(result: string, { json, watch }: StatusFlags): string {
  const value = parseExact(result)
  if (json) return `${watch ? result : prettyJson(value)}\n`
  return `${describeStatus(value)}${watch ? '\n' : ''}`
}

async function report(
  outcome: Outcome,
  flags: StatusFlags,
  address: string,
  terminal: Terminal,
): Promise<number> {
  switch (outcome.kind) {
    case 'answered':
      await terminal.out(written(outcome.result ?? 'null', flags))
      return exitCodes.success
    case 'interrupted':
      return outcome.exitCode
    case 'unreachable':
      terminal.err(`Error: ${unreachable(address, outcome.why, terminal.command)}\n`)
      return exitCodes.failure
    case 'failed': {
      const { error } = outcome
      const isTimeout = isTimeoutCode(error.code)
      terminal.err(`Error: ${messageOf(explain(error, address, isTimeout))}\n`)
      return isTimeout ? exitCodes.timeout : exitCodes.failure
    }
  }
}

function explain({ code, message }: ErrorBody, address: string, isTimeout: boolean): string {
  const where = redactText(address)
  if (isTimeout) return `the engine at ${where} did not say how it is within ${limits.commandInfoMs} ms`
  if (code === 'CONNECTION_LOST') return `the connection to ${where} was lost`
  if (code === 'function_not_found') return `the engine at ${where} has no ${STATUS}: it is another version`
  return `${code}: ${message}`
}
