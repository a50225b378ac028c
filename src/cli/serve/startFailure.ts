/** A start that failed, as an error of the command: what, why, what to do. */
import type { Settings } from '../../config/settings.ts'
import { type ErrorCode, errorCatalogue } from '../../protocol/errors.ts'
import { CommandError } from '../commandError.ts'
import type { SpokenCommand } from '../spokenCommand.ts'
import { findPortHolder, holderCommand } from './portHolder.ts'

/** What a start can fail with, if it says so: see `ListenError`, `StorageError`. */
interface KnownFailure extends Error {
  /** Absent: that of its code in the catalogue. */
  readonly fix?: string
  readonly code: ErrorCode
  readonly port?: number
}

function isKnownFailure(error: unknown): error is KnownFailure {
  return error instanceof Error && 'code' in error && Object.hasOwn(errorCatalogue, String(error.code))
}

/** What the command fails with when its start has failed with this. */
export function startFailure(
  error: unknown,
  { file }: Pick<Settings, 'file'>,
  command: SpokenCommand,
): unknown {
  if (!isKnownFailure(error)) return error
  const { code, port, fix: advice = errorCatalogue[code].fix } = error
  const [what = '', ...why] = error.message.split(': ')
  if (code !== 'port_in_use' || port === undefined) {
    return new CommandError(what, { code, causes: why.length === 0 ? [] : [why.join(': ')], fix: advice })
  }
  // Who runs without a file has nowhere to set a port.
  const place = file === undefined ? `a file of yours: ${command.serve('--config FILE')}` : file
  const fix = `${advice}; ports are set in ${place}`
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
