/** Options of `iii` itself. */
import type { Acceptor } from '../../config/settings.ts'
import type { LogFormat } from '../../log/createLog.ts'
import type { LogLevel } from '../../log/log.ts'

export interface ServeFlags {
  readonly config?: string
  readonly defaults?: boolean
  readonly insecure?: boolean
  readonly shards?: number
  readonly acceptor?: Acceptor
  readonly data?: string
  readonly logLevel?: LogLevel
  readonly logFormat?: LogFormat
  readonly drainMs?: number
  readonly json?: boolean
}
