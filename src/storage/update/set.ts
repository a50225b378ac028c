import { depthOf } from '../../protocol/json/split.ts'
import { JSON_NULL } from '../../protocol/jsonText.ts'
import type { Failure } from './failure.ts'
import type { UpdateOperation } from './operation.ts'
import { checkDepth, checkPath, notAnObject, segmentsOf } from './path.ts'
import { openRoot, type Tree, typeOf } from './tree.ts'

/** Sets a key of the root, or replaces everything. */
export function set(tree: Tree, operation: UpdateOperation & { type: 'set' }): Failure | undefined {
  const segments = segmentsOf(operation.path)
  const value = operation.value ?? JSON_NULL
  const refused = checkPath('set', segments) ?? checkDepth('set', segments.length + depthOf(value))
  if (refused !== undefined) return refused
  const [key] = segments
  if (key === undefined) {
    tree.root = value
    return undefined
  }
  const root = openRoot(tree)
  if (root === undefined) return notAnObject('set', segments, typeOf(tree.root))
  root.members.set(key, value)
  return undefined
}
