/**
 * `iii worker run`: a built-in worker as a process of its own, connected to an engine like any worker. What it keeps is kept by
 * this process. Where the engine has the same built-in, this one goes before it, as long as it is connected.
 */
import type { InitOptions } from '../../../sdk/typescript/src/connect.ts'
import type { BuiltInClient } from '../../../sdk/typescript/src/worker.ts'
import { systemClock } from '../../clock/clock.ts'
import { createBuiltInNames } from '../../config/names.ts'
import type { KnownWorkers, Settings, WorkerSettings } from '../../config/settings.ts'
import { nearestName } from '../../log/nearest.ts'
import { redactText } from '../../log/redact.ts'
import { limits } from '../../protocol/limits.ts'
import type { AloneParts, AloneWorker } from '../../threads/alone.ts'
import { CommandError, messageOf, usageError } from '../commandError.ts'
import { exitCodeOf } from '../exitCodes.ts'
import { type LogFlags, openLog } from '../openLog.ts'
import { loadSettings } from '../serve/loadSettings.ts'
import { untilStopped } from '../serve/shutdown.ts'
import { startFailure } from '../serve/startFailure.ts'
import type { Terminal } from '../terminal.ts'
import { engineAddress } from '../trigger/address.ts'
import { version } from '../version.ts'

export interface WorkerRunFlags extends LogFlags {
  readonly url?: string
  readonly config?: string
  readonly data?: string
  readonly namespace?: string
  readonly framing?: 'json' | 'msgpack'
  readonly drainMs?: number
  readonly json?: boolean
}

/** The worker below the command line. */
export interface WorkerRunParts {
  readonly knownWorkers: KnownWorkers
  /** Whether a worker can leave the engine: not one that looks inside. */
  readonly canRun: (name: string) => boolean
  readonly startAlone: (settings: Settings, parts: AloneParts) => Promise<AloneWorker>
  readonly connect: (address: string, options: InitOptions) => BuiltInClient
  readonly diagnose: (address: string, ms: number) => Promise<string>
}

/** `workers/state`, `state`, `iii-state`: the folder, and both spellings of the name. */
function canonicalName(word: string, { knownWorkers, canRun }: WorkerRunParts): string {
  const spoken = word.replace(/^(\.\/)?workers\//, '').replace(/\/+$/, '')
  const names = createBuiltInNames(knownWorkers)
  const name = names.canonical(spoken)
  if (name !== undefined && canRun(name)) return name
  const runnable = [...knownWorkers.keys()].filter(canRun)
  if (name !== undefined && knownWorkers.has(name)) {
    throw usageError(
      `${name} is a part of every engine and runs nowhere else`,
      `run one of: ${runnable.join(', ')}`,
    )
  }
  const spellings = names.spellings().filter(spelling => canRun(names.canonical(spelling) ?? ''))
  const nearest = nearestName(spoken, spellings)
  const what = name === undefined ? 'is not a built-in worker' : 'is not part of this version yet'
  throw usageError(
    `'${word}' ${what}`,
    nearest === undefined ? `run one of: ${runnable.join(', ')}` : `did you mean '${nearest}'?`,
  )
}

/** The settings of a file with this worker only, or its defaults. */
async function settingsOf(
  name: string,
  flags: WorkerRunFlags,
  terminal: Terminal,
  { knownWorkers }: WorkerRunParts,
): Promise<Settings> {
  const { config, data } = flags
  const given = { ...(config === undefined ? { defaults: true } : { config }), shards: 0 }
  const settings = await loadSettings(
    { ...given, ...(data === undefined ? {} : { data }) },
    terminal,
    knownWorkers,
  )
  if (config === undefined) {
    const own: WorkerSettings = { name, instance: name, config: knownWorkers.get(name)!.schema.parse({}) }
    return { ...settings, workers: [own] }
  }
  const workers = settings.workers.filter(worker => worker.name === name)
  if (workers.length > 0) return { ...settings, workers }
  throw usageError(`${settings.file} does not list ${name}`, `list it there, or leave out --config`)
}

/** Returns the exit code, when the worker has ended. */
export async function runWorker(
  word: string,
  flags: WorkerRunFlags,
  terminal: Terminal,
  parts: WorkerRunParts,
): Promise<number> {
  const name = canonicalName(word, parts)
  const { url: address } = flags
  const url = engineAddress(address === undefined ? {} : { address }, terminal.env.III_URL)
  const settings = await settingsOf(name, flags, terminal, parts)
  const log = openLog(flags, terminal)
  const subject = { name: 'the worker', failure: 'WORKER_NAMESPACE_CONFLICT' } as const
  terminal.onUncaughtError(error => log.error('uncaught error: the worker ends', { error }))

  const failure = Promise.withResolvers<Error>()
  function connect(workerName: string, workerDescription: string): BuiltInClient {
    const { namespace, framing = 'msgpack' } = flags
    const client = parts.connect(url, {
      workerName,
      workerDescription,
      framing,
      ...(namespace === undefined ? {} : { namespace }),
      onWarning(warning) {
        log.warn(messageOf(warning))
        // The client says why it gives up before it does.
        queueMicrotask(() => {
          const fatal = client.getFatalError()
          if (fatal !== undefined) failure.resolve(fatal)
        })
      },
    })
    return client
  }

  async function begin(): Promise<AloneWorker> {
    const worker = await parts.startAlone(settings, { log, connect }).catch((error: unknown) => {
      throw startFailure(error, settings, terminal.command)
    })
    try {
      await worker.serves()
      return worker
    } catch (error) {
      await worker.stop()
      throw refused(error as Error, name)
    }
  }

  // Until it serves there is nothing to drain, so the first signal ends the start; what is kept is committed already.
  const interrupted = Promise.withResolvers<number>()
  const listenNoMore = terminal.onStopSignal(signal => interrupted.resolve(exitCodeOf(signal)))
  const refusal = failure.promise.then(error => {
    throw refused(error, name)
  })
  refusal.catch(() => {})
  const cancelNote = systemClock.after(limits.engineNoteMs, async () => {
    const why = await parts.diagnose(url, limits.commandConnectMs)
    log.warn(`no engine answers at ${redactText(url)} yet: ${why}; trying again until one does`)
  })
  const worker = await Promise.race([begin(), refusal, interrupted.promise]).finally(cancelNote)
  if (typeof worker === 'number') return worker

  const stopped = untilStopped({
    thread: { drain: worker.drain, stop: worker.stop, failed: failure.promise },
    subject,
    drainMs: flags.drainMs ?? limits.drainMs,
    log,
    clock: systemClock,
    onStopSignal: terminal.onStopSignal,
  })
  listenNoMore()
  const { addresses } = worker
  const { folder: data } = settings.data
  const document = { version, pid: process.pid, worker: name, url, data, addresses }
  await terminal.out(flags.json ? `${JSON.stringify(document)}\n` : startMessage(document))
  return stopped
}

function startMessage({
  worker,
  pid,
  url,
  data,
  addresses,
}: {
  worker: string
  pid: number
  url: string
  data: string
  addresses: Readonly<Record<string, string>>
}): string {
  const rows = Object.entries({ engine: redactText(url), data, ...addresses })
  const width = Math.max(...rows.map(([key]) => key.length))
  const lines = rows.map(([key, value]) => `  ${key.padEnd(width)}  ${value}`)
  return `${[`${worker} runs (pid ${pid}); Ctrl-C stops it`, ...lines].join('\n')}\n`
}

function refused(error: Error, name: string): CommandError {
  if (error.name === 'RegistrationRejectedError') {
    return new CommandError(`the engine refuses ${name}`, {
      code: 'WORKER_NAMESPACE_CONFLICT',
      causes: [error.message],
      fix: `stop the other worker of this name, or run this one in another namespace with --namespace`,
    })
  }
  return new CommandError(`${name} cannot connect`, {
    code: 'ENGINE_UNREACHABLE',
    causes: [error.message],
    fix: 'check --url; an engine that does not speak msgpack takes --framing json',
  })
}
