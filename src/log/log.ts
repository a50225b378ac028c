/** The log as everything below the command line sees it; `src/cli` decides where its lines go. */

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

export type LogFields = Readonly<Record<string, unknown>>

/** Secrets and whole payloads never go into fields. */
export interface Log {
  /** Lines below this level are dropped anyway; absent if that is not known. */
  readonly level?: LogLevel
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

/** Throws every line away. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }
