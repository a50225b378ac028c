/** The log as everything below the command line sees it; `src/cli` decides where its lines go. */

export type LogFields = Readonly<Record<string, unknown>>

/** Secrets and whole payloads never go into fields. */
export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

/** Throws every line away. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }
