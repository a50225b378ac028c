/** What a command about data folders fails with. */
import { type ErrorCode, errorCatalogue } from '../../protocol/errors.ts'
import { CommandError, messageOf } from '../commandError.ts'

/** `fix`: of errors that no code names. */
export function storageFailure(error: unknown, fix: string): CommandError {
  if (error instanceof CommandError) return error
  const code = String((error as { code?: unknown }).code)
  if (Object.hasOwn(errorCatalogue, code)) {
    const known = code as ErrorCode
    return new CommandError(messageOf(error), { code: known, fix: errorCatalogue[known].fix })
  }
  return new CommandError(messageOf(error), { code: 'data_folder_unusable', fix })
}
