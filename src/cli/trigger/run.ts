/**
 * `iii trigger`: joins the engine as a worker, makes one call, prints the answer.
 *
 * The result goes to stdout and nothing else does; what went wrong goes to stderr.
 */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { InitOptions } from '../../../sdk/typescript/src/mod.ts'
import type { WorkerClient } from '../../../sdk/typescript/src/worker.ts'
import { cleanJson } from '../../log/clean.ts'
import { redactText } from '../../log/redact.ts'
import type { ErrorBody } from '../../protocol/frames.ts'
import { type JsonText, toJsonText } from '../../protocol/jsonText.ts'
import { CommandError, messageOf, usageError } from '../commandError.ts'
import { parseExact, prettyJson } from '../exactJson.ts'
import { exitCodeOf, exitCodes } from '../exitCodes.ts'
import type { Terminal } from '../terminal.ts'
import { describeFunction } from './parameters.ts'
import {
  buildPayload,
  DEFAULT_TIMEOUT_MS,
  engineAddress,
  type PayloadSource,
  readWords,
  type TriggerFlags,
} from './request.ts'

const WORKER_NAME = 'iii-cli:trigger'

/** Time an engine has to accept the connection. One on this machine needs a millisecond, a remote one a few hundred. */
const CONNECT_MS = 3000

/** Time for the description of a function. */
const INFO_MS = 5000

export type Connect = (address: string, options: InitOptions) => WorkerClient

/** Returns the exit code. `staticHelp` is what `--help` shows when the engine cannot be asked. */
export async function runTrigger(
  words: readonly string[],
  flags: TriggerFlags,
  staticHelp: string,
  terminal: Terminal,
  connect: Connect,
): Promise<number> {
  const { functionId, pairs, source } = readWords(words, flags)
  const address = engineAddress(flags, terminal.env.III_URL)
  if (flags.help) {
    if (functionId !== undefined)
      return showParameters(functionId, address, flags, staticHelp, terminal, connect)
    await terminal.out(staticHelp)
    return exitCodes.success
  }
  if (functionId === undefined) {
    throw usageError(
      'no function is named',
      "write iii trigger FUNCTION_ID [key=value ...]; 'iii trigger --help' shows more",
    )
  }
  const whole = source === undefined ? undefined : await readPayload(source, terminal)
  const call = { functionId, data: buildPayload(whole, pairs, source?.option), flags }
  const outcome = await withClient(address, terminal, connect, client => makeCall(client, call))
  return report(outcome, call, address, terminal)
}

async function readPayload(source: PayloadSource, terminal: Terminal): Promise<string> {
  if (source.from === 'text') return source.text
  if (source.from === 'input') return terminal.readInput()
  const path = resolve(terminal.cwd, source.path)
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new CommandError(`cannot read ${path}`, {
      causes: [messageOf(error)],
      fix: 'name a readable JSON file',
    })
  }
}

interface Call {
  readonly functionId: string
  readonly data: JsonText
  readonly flags: TriggerFlags
}

type Outcome =
  | { readonly kind: 'answered'; readonly result: JsonText | undefined }
  | { readonly kind: 'failed'; readonly error: ErrorBody; readonly afterMs: number }
  | { readonly kind: 'interrupted'; readonly exitCode: number }
  | { readonly kind: 'unreachable' }

/**
 * Connects, works, disconnects. A worker name has one holder at a time, so while another `iii trigger` runs, this
 * one joins under a name of its own. Asking again is safe: an engine that refuses a name drops what comes after it.
 */
async function withClient(
  address: string,
  terminal: Terminal,
  connect: Connect,
  work: (client: WorkerClient) => Promise<Outcome>,
): Promise<Outcome> {
  for (const workerName of [WORKER_NAME, `${WORKER_NAME}:${process.pid}`]) {
    const client = connect(address, { workerName, reconnect: false, connectTimeoutMs: CONNECT_MS })
    const stopped = Promise.withResolvers<Outcome>()
    const listenNoMore = terminal.onStopSignal(signal =>
      stopped.resolve({ kind: 'interrupted', exitCode: exitCodeOf(signal) }),
    )
    try {
      const connected = client.ready().then(
        () => true,
        () => false,
      )
      const outcome = connected.then(isConnected =>
        isConnected ? work(client) : { kind: 'unreachable' as const },
      )
      const first = await Promise.race([outcome, stopped.promise])
      const refused = client.getFatalError()?.name === 'RegistrationRejectedError'
      if (first.kind === 'interrupted' || !refused) return first
    } finally {
      listenNoMore()
      await client.shutdown()
    }
  }
  return { kind: 'unreachable' }
}

async function makeCall(client: WorkerClient, { functionId, data, flags }: Call): Promise<Outcome> {
  const timeoutMs = flags.timeoutMs ?? DEFAULT_TIMEOUT_MS
  const namespace = flags.namespace
  const startedAt = performance.now()
  const failed = (error: ErrorBody): Outcome => ({
    kind: 'failed',
    error,
    afterMs: performance.now() - startedAt,
  })
  if (flags.void || flags.enqueue !== undefined) {
    const action = flags.void
      ? { type: 'void' as const }
      : { type: 'enqueue' as const, queue: flags.enqueue! }
    const request = { function_id: functionId, payload: parseExact(data), action, timeoutMs }
    try {
      const receipt = await client.trigger({ ...request, ...(namespace === undefined ? {} : { namespace }) })
      if (!flags.void) return { kind: 'answered', result: toJsonText(receipt) }
    } catch (error) {
      const {
        code = 'UNKNOWN',
        detail,
        message,
      } = error as { code?: string; detail?: string; message: string }
      return failed({ code, message: detail ?? message })
    }
    // Nobody answers a void call. The answer to this one shows that the engine has read both.
    await ask(client, 'engine::functions::info', toJsonText({ function_id: functionId }), undefined, INFO_MS)
    return { kind: 'answered', result: undefined }
  }
  const { error, result } = await ask(client, functionId, data, namespace, timeoutMs)
  return error === undefined ? { kind: 'answered', result } : failed(error)
}

function ask(
  client: WorkerClient,
  functionId: string,
  data: JsonText,
  namespace: string | undefined,
  timeoutMs: number,
): Promise<{ error: ErrorBody | undefined; result: JsonText | undefined }> {
  const unset = { metadata: undefined, traceparent: undefined, baggage: undefined }
  return new Promise(resolve => {
    client.call({ functionId, data, namespace, timeoutMs, ...unset }, (error, result) =>
      resolve({ error, result }),
    )
  })
}

const TIMEOUT_CODES = new Set(['TIMEOUT', 'invocation_timeout'])

async function report(
  outcome: Outcome,
  { functionId, flags }: Call,
  address: string,
  terminal: Terminal,
): Promise<number> {
  switch (outcome.kind) {
    case 'answered': {
      const value = outcome.result === undefined ? null : parseExact(outcome.result)
      if (value !== null) await terminal.out(`${cleanJson(prettyJson(value))}\n`)
      return exitCodes.success
    }
    case 'interrupted':
      return outcome.exitCode
    case 'unreachable':
      terminal.err(`Error: ${unreachable(address)}\n`)
      return exitCodes.failure
  }
  const { error, afterMs } = outcome
  const timeoutMs = flags.timeoutMs ?? DEFAULT_TIMEOUT_MS
  // A function may pass on the time-out of a call it made itself; that one is its error, and comes earlier.
  if (TIMEOUT_CODES.has(error.code) && afterMs >= timeoutMs) {
    terminal.err(
      `Error: ${messageOf(`'${functionId}' did not answer within ${timeoutMs} ms; it may still run`)}\n`,
    )
    return exitCodes.timeout
  }
  if (error.code === 'CONNECTION_LOST') {
    terminal.err(
      `Error: the connection to ${redactText(address)} was lost before the answer came; the call may have run\n`,
    )
  } else {
    terminal.err(`Error: ${cleanJson(prettyJson(error))}\n`)
  }
  return exitCodes.failure
}

function unreachable(address: string): string {
  return `no engine answers at ${redactText(address)} (start one with 'iii', or name another with --address and --port)`
}

async function showParameters(
  functionId: string,
  address: string,
  { namespace }: TriggerFlags,
  staticHelp: string,
  terminal: Terminal,
  connect: Connect,
): Promise<number> {
  const input = toJsonText({ function_id: functionId, ...(namespace === undefined ? {} : { namespace }) })
  const outcome = await withClient(address, terminal, connect, async client => {
    const { error, result } = await ask(client, 'engine::functions::info', input, undefined, INFO_MS)
    return error === undefined ? { kind: 'answered', result } : { kind: 'failed', error, afterMs: 0 }
  })
  switch (outcome.kind) {
    case 'interrupted':
      return outcome.exitCode
    case 'unreachable':
      terminal.err(
        `warning: ${unreachable(address)}, so the parameters of '${messageOf(functionId)}' are not known\n`,
      )
      await terminal.out(staticHelp)
      return exitCodes.success
    case 'failed':
      terminal.err(
        `Error: ${messageOf(outcome.error.message)}\nList all functions with: iii trigger engine::functions::list\n`,
      )
      return exitCodes.failure
    case 'answered':
      await terminal.out(describeFunction(parseExact(outcome.result ?? 'null'), functionId))
      return exitCodes.success
  }
}
