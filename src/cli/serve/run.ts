/** `iii` without a command: the engine in the foreground. */
import { systemClock } from '../../clock/clock.ts'
import type { KnownWorkers, Settings } from '../../config/settings.ts'
import { createLog } from '../../log/createLog.ts'
import type { Log } from '../../log/log.ts'
import { type ErrorCode, errorCatalogue } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { RunningEngine, StartOptions } from '../../threads/start.ts'
import { CommandError } from '../commandError.ts'
import { logLevelFrom } from '../environment.ts'
import { exitCodeOf } from '../exitCodes.ts'
import type { SpokenCommand } from '../spokenCommand.ts'
import type { Terminal } from '../terminal.ts'
import { version } from '../version.ts'
import type { ServeFlags } from './flags.ts'
import { loadSettings } from './loadSettings.ts'
import { findPortHolder, holderCommand } from './portHolder.ts'
import { untilStopped } from './shutdown.ts'

/** The engine below the command line. */
export interface EngineParts {
  readonly knownWorkers: KnownWorkers
  readonly startEngine: (settings: Settings, options: StartOptions) => Promise<RunningEngine>
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
  const started = parts.startEngine(settings, { log }).catch((error: unknown) => {
    throw startFailure(error, settings, terminal.command)
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
    level: flags.logLevel ?? logLevelFrom(terminal.env) ?? 'info',
    get format() {
      return flags.logFormat ?? (terminal.human ? 'human' : 'json')
    },
    now: systemClock.now,
    get colours() {
      return terminal.colours
    },
  })
}

function startDocument(settings: Settings, { addresses }: RunningEngine): string {
  return `${JSON.stringify({ version, pid: process.pid, config: settings.file ?? null, addresses })}\n`
}

function startMessage(settings: Settings, { addresses }: RunningEngine): string {
  const rows = Object.entries({ config: settings.file ?? 'embedded defaults, no file', ...addresses })
  const width = Math.max(...rows.map(([name]) => name.length))
  const lines = rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)
  return `${[`iii ${version} runs (pid ${process.pid}); Ctrl-C stops it`, ...lines].join('\n')}\n`
}

/** What a start can fail with, if it says so: see `ListenError`. */
interface KnownFailure extends Error {
  readonly fix: string
  readonly code: ErrorCode
  readonly port?: number
}

function isKnownFailure(error: unknown): error is KnownFailure {
  if (!(error instanceof Error) || !('fix' in error) || !('code' in error)) return false
  return typeof error.fix === 'string' && Object.hasOwn(errorCatalogue, String(error.code))
}

function startFailure(error: unknown, { file }: Settings, command: SpokenCommand): unknown {
  if (!isKnownFailure(error)) return error
  const { code, port } = error
  const [what = '', ...why] = error.message.split(': ')
  if (code !== 'port_in_use' || port === undefined) {
    return new CommandError(what, { code, causes: why.length === 0 ? [] : [why.join(': ')], fix: error.fix })
  }
  // Who runs without a file has nowhere to set a port.
  const place = file === undefined ? `a file of yours: ${command.serve('--config FILE')}` : file
  const fix = `${error.fix}; ports are set in ${place}`
  const holder = process.platform === 'linux' ? findPortHolder(port, '/proc') : undefined
  if (holder !== undefined) {
    const causes = [`process ${holder.pid} (${holder.name}) holds port ${port}`]
    return new CommandError(what, { code, causes, fix: `${fix}; to stop the process: kill ${holder.pid}` })
  }
  const find = `find the process with: ${holderCommand(port, process.platform)}`
  return new CommandError(what, {
    code,
    causes: [`another process holds port ${port}`],
    fix: `${fix}; ${find}`,
  })
}
