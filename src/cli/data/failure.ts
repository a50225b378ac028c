/** What a command about data folders fails with. */
import { type ErrorCode, errorCatalogue } from '../../protocol/errors.ts'
import { CommandError, messageOf } from '../commandError.ts'

/** What to do in this command, where that is another thing than what the catalogue says of a code. */
export type Fixes = { readonly data_folder_unusable: string } & { readonly [Code in ErrorCode]?: string }

/** Anything without a known code is `data_folder_unusable`. */
export function storageFailure(error: unknown, fixes: Fixes): CommandError {
  if (error instanceof CommandError) return error
  const said = String((error as { code?: unknown }).code)
  const code = Object.hasOwn(errorCatalogue, said) ? (said as ErrorCode) : 'data_folder_unusable'
  return new CommandError(messageOf(error), { code, fix: fixes[code] ?? errorCatalogue[code].fix })
}
