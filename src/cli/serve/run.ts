/** `iii` without a command: the engine in the foreground. */
import { systemClock } from '../../clock/clock.ts'
import type { KnownWorkers, Settings } from '../../config/settings.ts'
import { limits } from '../../protocol/limits.ts'
import type { RunningEngine, StartOptions } from '../../threads/start.ts'
import { exitCodeOf } from '../exitCodes.ts'
import { openLog } from '../openLog.ts'
import type { Terminal } from '../terminal.ts'
import { version } from '../version.ts'
import type { ServeFlags } from './flags.ts'
import { loadSettings } from './loadSettings.ts'
import { untilStopped } from './shutdown.ts'
import { startFailure } from './startFailure.ts'

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

function startDocument(settings: Settings, { addresses }: RunningEngine): string {
  return `${JSON.stringify({ version, pid: process.pid, config: settings.file ?? null, addresses })}\n`
}

function startMessage(settings: Settings, { addresses }: RunningEngine): string {
  const rows = Object.entries({ config: settings.file ?? 'embedded defaults, no file', ...addresses })
  const width = Math.max(...rows.map(([name]) => name.length))
  const lines = rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)
  return `${[`iii ${version} runs (pid ${process.pid}); Ctrl-C stops it`, ...lines].join('\n')}\n`
}
