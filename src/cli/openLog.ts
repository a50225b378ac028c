/** The log of a command that stays: on stderr, in the form that its reader needs. */
import { systemClock } from '../clock/clock.ts'
import { createLog, type LogFormat } from '../log/createLog.ts'
import type { Log, LogLevel } from '../log/log.ts'
import { logLevelFrom } from './environment.ts'
import type { Terminal } from './terminal.ts'

export interface LogFlags {
  readonly logLevel?: LogLevel
  readonly logFormat?: LogFormat
}

export function openLog(flags: LogFlags, terminal: Terminal): Log {
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
