/** Joins an engine as a worker for as long as one piece of work takes. */
import type { InitOptions } from '../../../sdk/typescript/src/mod.ts'
import type { WorkerClient } from '../../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../clock/clock.ts'
import type { ErrorBody } from '../../protocol/frames.ts'
import type { JsonText } from '../../protocol/jsonText.ts'
import { messageOf } from '../commandError.ts'
import { logLevelFrom } from '../environment.ts'
import { exitCodeOf } from '../exitCodes.ts'
import type { Terminal } from '../terminal.ts'

/** How a command reaches an engine. */
export interface Dialler {
  readonly connect: (address: string, options: InitOptions) => WorkerClient
  /** Milliseconds an engine has to accept the connection. */
  readonly connectMs: number
  readonly clock: Clock
  /** Why nobody was reached at the address, to complete "no engine answers at …: ". */
  readonly diagnose: (address: string, ms: number) => Promise<string>
}

export type Outcome =
  | { readonly kind: 'answered'; readonly result: JsonText | undefined }
  | { readonly kind: 'failed'; readonly error: ErrorBody; readonly afterMs: number; readonly fix?: string }
  | { readonly kind: 'interrupted'; readonly exitCode: number }
  | { readonly kind: 'unreachable'; readonly why: string }

const WORKER_NAME = 'iii-cli:trigger'

const NAME_REFUSED: Outcome = {
  kind: 'failed',
  error: { code: 'WORKER_NAMESPACE_CONFLICT', message: 'the engine refuses every name of this command' },
  afterMs: 0,
}

/**
 * Connects, works, disconnects. A worker name has one holder at a time, so while another one of the same command runs, this
 * one joins under a name of its own. Asking again is safe: an engine that refuses a name drops what comes after it.
 */
export async function withClient(
  address: string,
  terminal: Terminal,
  dialler: Dialler,
  work: (client: WorkerClient) => Promise<Outcome>,
  name = WORKER_NAME,
): Promise<Outcome> {
  const logLevel = logLevelFrom(terminal.env)
  for (const workerName of [name, `${name}:${process.pid}`]) {
    const { connectMs } = dialler
    const client = dialler.connect(address, {
      workerName,
      reconnect: false,
      connectTimeoutMs: connectMs,
      // Every fault of this connection ends in an error of the command, which is printed anyway.
      onWarning: warning => {
        if (logLevel === 'debug') terminal.err(`debug: ${messageOf(warning)}\n`)
      },
    })
    const stopped = Promise.withResolvers<Outcome>()
    const listenNoMore = terminal.onStopSignal(signal =>
      stopped.resolve({ kind: 'interrupted', exitCode: exitCodeOf(signal) }),
    )
    try {
      const outcome = await Promise.race([connectAndWork(client, address, dialler, work), stopped.promise])
      const refused = client.getFatalError()?.name === 'RegistrationRejectedError'
      if (outcome.kind === 'interrupted' || !refused) return outcome
    } finally {
      listenNoMore()
      await client.shutdown()
    }
  }
  return NAME_REFUSED
}

async function connectAndWork(
  client: WorkerClient,
  address: string,
  { clock, connectMs, diagnose }: Dialler,
  work: (client: WorkerClient) => Promise<Outcome>,
): Promise<Outcome> {
  // Something may accept the socket and then say nothing: not every server is an engine.
  const { promise: silence, reject } = Promise.withResolvers<never>()
  const cancel = clock.after(connectMs, () => reject(new Error('no greeting')))
  try {
    await Promise.race([client.ready(), silence])
  } catch {
    return { kind: 'unreachable', why: await diagnose(address, connectMs) }
  } finally {
    cancel()
  }
  return work(client)
}

/** A plain call whose payload and answer stay text. */
export function ask(
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
