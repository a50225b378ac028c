import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { JsonText } from '../../src/protocol/jsonText.ts'
import type { UpdateOperation } from '../../src/storage/update/operation.ts'
import { MalformedOperations, readOperations } from '../../src/storage/update/read.ts'

/** The operations of an update; refuses those that are none. */
export function readOps(functionId: string, text: JsonText): UpdateOperation[] {
  try {
    return readOperations(text)
  } catch (error) {
    if (!(error instanceof MalformedOperations)) throw error
    throw new HandlerError(
      'deserialization_error',
      `Failed to deserialize input for ${functionId}: ${error.message}`,
    )
  }
}
