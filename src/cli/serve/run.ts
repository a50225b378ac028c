/** `iii` without a command: the engine in the foreground. */
import { systemClock } from '../../clock/clock.ts'
import type { KnownWorkers, Settings } from '../../config/settings.ts'
import { createLog, type LogLevel, logLevels } from '../../log/createLog.ts'
import type { Log } from '../../log/log.ts'
import { limits } from '../../protocol/limits.ts'
import type { RunningThread, ThreadOptions } from '../../threads/thread.ts'
import { CommandError, usageError } from '../commandError.ts'
import { exitCodeOf } from '../exitCodes.ts'
import type { Terminal } from '../terminal.ts'
import { version } from '../version.ts'
import type { ServeFlags } from './flags.ts'
import { loadSettings } from './loadSettings.ts'
import { findPortHolder, holderCommand } from './portHolder.ts'
import { untilStopped } from './shutdown.ts'

/** The engine below the command line. */
export interface EngineParts {
  readonly knownWorkers: KnownWorkers
  readonly startThread: (settings: Settings, options: ThreadOptions) => Promise<RunningThread>
}

/** Returns the exit code, when the engine has ended. */
export async function serve(flags: ServeFlags, terminal: Terminal, parts: EngineParts): Promise<number> {
  const log = openLog(flags, terminal)
  const settings = await loadSettings(flags, terminal, parts.knownWorkers)
  for (const warning of settings.warnings) log.warn(warning)

  // Nobody knows what state an engine is in after an error that no code expected.
  terminal.onUncaughtError(error => log.error('uncaught error: the engine ends', { error }))

  // Until the engine runs there is nothing to drain, so the first signal ends the start.
  const interrupted = Promise.withResolvers<number>()
  const listenNoMore = terminal.onStopSignal(signal => interrupted.resolve(exitCodeOf(signal)))
  const started = parts.startThread(settings, { log }).catch((error: unknown) => {
    throw startFailure(error)
  })
  const thread = await Promise.race([started, interrupted.promise])
  if (typeof thread === 'number') return thread

  const stopped = untilStopped({
    thread,
    drainMs: flags.drainMs ?? limits.drainMs,
    log,
    clock: systemClock,
    onStopSignal: terminal.onStopSignal,
  })
  listenNoMore()
  await terminal.out(flags.json ? startDocument(settings, thread) : startMessage(settings, thread))
  return stopped
}

function openLog(flags: ServeFlags, terminal: Terminal): Log {
  return createLog({
    write: terminal.err,
    level: flags.logLevel ?? levelFrom(terminal.env.III_LOG_LEVEL),
    get format() {
      return flags.logFormat ?? (terminal.human ? 'human' : 'json')
    },
    now: systemClock.now,
    get colours() {
      return terminal.colours
    },
  })
}

function levelFrom(text: string | undefined): LogLevel {
  if (text === undefined || text === '') return 'info'
  const level = logLevels.find(each => each === text.toLowerCase())
  if (level !== undefined) return level
  throw usageError(`the environment variable III_LOG_LEVEL must be one of ${logLevels.join(', ')}`)
}

function startDocument(settings: Settings, { addresses }: RunningThread): string {
  return `${JSON.stringify({ version, pid: process.pid, config: settings.file ?? null, addresses })}\n`
}

function startMessage(settings: Settings, { addresses }: RunningThread): string {
  const rows = Object.entries({ config: settings.file ?? 'embedded defaults, no file', ...addresses })
  const width = Math.max(...rows.map(([name]) => name.length))
  const lines = rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)
  return `${[`iii ${version} runs (pid ${process.pid}); Ctrl-C stops it`, ...lines].join('\n')}\n`
}

/** What a start can fail with, if it says so: see `ListenError`. */
interface KnownFailure extends Error {
  readonly fix: string
  readonly code?: string
  readonly port?: number
}

function isKnownFailure(error: unknown): error is KnownFailure {
  return error instanceof Error && 'fix' in error && typeof error.fix === 'string'
}

function startFailure(error: unknown): unknown {
  if (!isKnownFailure(error)) return error
  const { code, port, fix } = error
  const [what = '', ...why] = error.message.split(': ')
  if (code !== 'port_in_use' || port === undefined) {
    return new CommandError(what, { causes: why.length === 0 ? [] : [why.join(': ')], fix })
  }
  const holder = process.platform === 'linux' ? findPortHolder(port, '/proc') : undefined
  if (holder !== undefined) {
    return new CommandError(what, {
      causes: [`process ${holder.pid} (${holder.name}) holds port ${port}`],
      fix,
    })
  }
  const find = `find the process with: ${holderCommand(port, process.platform)}`
  return new CommandError(what, { causes: [`another process holds port ${port}`], fix: `${fix}; ${find}` })
}
