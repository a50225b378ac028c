/** Options of `iii` itself. */
import type { LogFormat, LogLevel } from '../../log/createLog.ts'

export interface ServeFlags {
  readonly config?: string
  readonly defaults?: boolean
  readonly insecure?: boolean
  readonly logLevel?: LogLevel
  readonly logFormat?: LogFormat
  readonly drainMs?: number
  readonly json?: boolean
}
