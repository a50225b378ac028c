import { JSON_NULL } from '../../protocol/jsonText.ts'
import type { Failure } from './failure.ts'
import type { UpdateOperation } from './operation.ts'
import { checkPath, notAnObject, segmentsOf } from './path.ts'
import { openRoot, type Tree, typeOf } from './tree.ts'

/** Removes a key of the root, if it is there; the root itself becomes null. */
export function remove(tree: Tree, operation: UpdateOperation & { type: 'remove' }): Failure | undefined {
  const segments = segmentsOf(operation.path)
  const refused = checkPath('remove', segments)
  if (refused !== undefined) return refused
  const [key] = segments
  if (key === undefined) {
    tree.root = JSON_NULL
    return undefined
  }
  const root = openRoot(tree)
  if (root === undefined) return notAnObject('remove', segments, typeOf(tree.root))
  root.members.delete(key)
  return undefined
}
