/**
 * Applies the operations of an update to one value, in order. An operation that fails is passed over and told in
 * `errors`; the others are applied, and there is always a result.
 */
import { JSON_EMPTY_OBJECT, type JsonText } from '../../protocol/jsonText.ts'
import type { OperationError } from '../command.ts'
import { append } from './append.ts'
import { count } from './count.ts'
import type { Failure } from './failure.ts'
import { merge } from './merge.ts'
import type { UpdateOperation } from './operation.ts'
import { remove } from './remove.ts'
import { set } from './set.ts'
import { type Tree, textOf } from './tree.ts'

const DOC_URL = 'https://iii.dev/docs/workers/iii-state#error-codes'

const NO_ERRORS: readonly OperationError[] = []

export interface Updated {
  readonly value: JsonText
  readonly errors: readonly OperationError[]
}

function applyOne(tree: Tree, operation: UpdateOperation): Failure | undefined {
  switch (operation.type) {
    case 'set':
      return set(tree, operation)
    case 'merge':
      return merge(tree, operation)
    case 'increment':
    case 'decrement':
      return count(tree, operation)
    case 'append':
      return append(tree, operation)
    case 'remove':
      return remove(tree, operation)
  }
}

/** `value`: absent when there is none yet; operations meet an empty object then. */
export function applyOperations(
  value: JsonText | undefined,
  operations: readonly UpdateOperation[],
): Updated {
  const tree: Tree = { root: value ?? JSON_EMPTY_OBJECT, wasMissing: value === undefined }
  let errors: OperationError[] | undefined
  for (const [index, operation] of operations.entries()) {
    const failed = applyOne(tree, operation)
    if (failed === undefined) tree.wasMissing = false
    else {
      errors ??= []
      errors.push({ op_index: index, code: failed.code, message: failed.message, doc_url: DOC_URL })
    }
  }
  return { value: textOf(tree.root), errors: errors ?? NO_ERRORS }
}
