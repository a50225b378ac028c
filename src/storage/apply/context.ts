/** What a command may look at and do while it is applied. It sends nothing and knows no time but `nowMs`. */
import type { JsonText } from '../../protocol/jsonText.ts'
import type { EntryChange, Publication } from '../change.ts'
import type { OperationError } from '../command.ts'
import type { Tables } from '../tables.ts'
import type { UpdateOperation } from '../update/operation.ts'

/** Applies operations in order to a value; `undefined`: there is none yet. Throws a `StorageError` to refuse them all. */
export type ApplyOperations = (
  value: JsonText | undefined,
  operations: readonly UpdateOperation[],
) => { readonly value: JsonText; readonly errors: readonly OperationError[] }

export interface ApplyContext {
  /** Wall clock, whole milliseconds. */
  readonly nowMs: number
  readonly tables: Tables
  readonly applyOperations: ApplyOperations
  nextRevision(): number
  emit(change: EntryChange): void
  publish(publication: Publication): void
}
