import { depthOf, membersOf, typeOfJson } from '../../protocol/json/split.ts'
import type { JsonText } from '../../protocol/jsonText.ts'
import { limits } from '../../protocol/limits.ts'
import { type Failure, failure } from './failure.ts'
import type { UpdateOperation } from './operation.ts'
import { checkDepth, checkPath, isSink, notAnObject, segmentsOf } from './path.ts'
import { emptyObject, openMember, openRoot, type Tree, typeOf } from './tree.ts'

function checkValue(members: ReadonlyMap<string, JsonText>, value: JsonText): Failure | undefined {
  if (members.size > limits.mergeKeys) {
    const most = limits.mergeKeys
    return failure(
      'merge.value.too_many_keys',
      `Merge value has ${members.size} top-level keys, exceeds maximum of ${most}`,
    )
  }
  for (const key of members.keys()) {
    if (isSink(key)) {
      return failure(
        'merge.value.proto_polluted',
        `Merge value top-level key "${key}" is a prototype-pollution sink`,
      )
    }
  }
  const depth = depthOf(value)
  if (depth > limits.mergeDepth) {
    const most = limits.mergeDepth
    return failure(
      'merge.value.too_deep',
      `Merge value JSON nesting depth ${depth} exceeds maximum of ${most}`,
    )
  }
  return undefined
}

/**
 * Puts the members of a value into an object, one level. On the way there, whatever is no object is replaced by one; a
 * root that is asked for itself is not.
 */
export function merge(tree: Tree, operation: UpdateOperation & { type: 'merge' }): Failure | undefined {
  const segments = segmentsOf(operation.path)
  const { value } = operation
  const refused = checkPath('merge', segments)
  if (refused !== undefined) return refused
  if (typeOfJson(value) !== 'object') {
    return failure('merge.value.not_an_object', 'Merge value must be a JSON object')
  }
  const members = membersOf(value)
  const bad = checkValue(members, value) ?? checkDepth('merge', segments.length + depthOf(value))
  if (bad !== undefined) return bad
  let target = openRoot(tree)
  if (target === undefined) {
    if (segments.length === 0) return notAnObject('merge', segments, typeOf(tree.root))
    target = emptyObject()
    tree.root = target
  }
  for (const segment of segments) target = openMember(target, segment)
  for (const [key, member] of members) target.members.set(key, member)
  return undefined
}
