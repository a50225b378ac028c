/** How a partition refuses as a whole. */
import { StorageError } from './storageError.ts'
import { StorageFault } from './store.ts'

export const closed = (): StorageError =>
  new StorageError(
    'STORAGE_UNAVAILABLE',
    'The engine stops, and its data folder is closed. Try again when it is back.',
  )

/** What a caller hears of an error. */
export function refusal(error: unknown): unknown {
  if (!(error instanceof StorageFault)) return error
  return new StorageError('STORAGE_UNAVAILABLE', error.message, { cause: error })
}
