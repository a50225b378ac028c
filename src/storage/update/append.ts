import { depthOf, typeOfJson } from '../../protocol/json/split.ts'
import { asJsonText, type JsonText } from '../../protocol/jsonText.ts'
import { type Failure, failure } from './failure.ts'
import type { UpdateOperation } from './operation.ts'
import { checkDepth, checkPath, notAnObject, segmentsOf } from './path.ts'
import { type Node, openMember, openRoot, openText, type Tree, typeOf } from './tree.ts'

/** What appending makes of nothing: a string is the beginning of a longer one, anything else the first element. */
function begun(value: JsonText): JsonText {
  return typeOfJson(value) === 'string' ? value : asJsonText(`[${value}]`)
}

/** `at`: the name of the target in messages. */
function appended(target: Node, value: JsonText, at: string): { node: Node } | Failure {
  const type = typeOf(target)
  if (type === 'null') return { node: begun(value) }
  if (type === 'string' && typeOfJson(value) !== 'string') {
    const got = typeOfJson(value)
    return failure('append.type_mismatch', `Expected string append value at path '${at}', got ${got}.`)
  }
  if (typeof target === 'object' ? target.type === 'object' : type !== 'string' && type !== 'array') {
    return failure(
      'append.type_mismatch',
      `Cannot append at path '${at}': target is ${type}, expected array, string, null, or missing field.`,
    )
  }
  const open = openText(target as Exclude<Node, { type: 'object' }>)
  if (open.type === 'string') {
    open.body += value.slice(1, -1)
  } else {
    open.body += open.isEmpty ? value : `,${value}`
    open.isEmpty = false
  }
  return { node: open }
}

/**
 * Puts an element at the end of an array, or text at the end of a string. On the way there, whatever is no object is
 * replaced by one, the root excepted.
 */
export function append(tree: Tree, operation: UpdateOperation & { type: 'append' }): Failure | undefined {
  const segments = segmentsOf(operation.path)
  const { value } = operation
  const refused = checkPath('append', segments) ?? checkDepth('append', segments.length + 1 + depthOf(value))
  if (refused !== undefined) return refused
  const leaf = segments.at(-1)
  if (leaf === undefined) {
    const done = appended(tree.wasMissing ? asJsonText('null') : tree.root, value, 'root')
    if ('code' in done) return done
    tree.root = done.node
    return undefined
  }
  let parent = openRoot(tree)
  if (parent === undefined) return notAnObject('append', segments, typeOf(tree.root))
  for (const segment of segments.slice(0, -1)) parent = openMember(parent, segment)
  const target = parent.members.get(leaf)
  if (target === undefined) {
    parent.members.set(leaf, segments.length === 1 ? begun(value) : asJsonText(`[${value}]`))
    return undefined
  }
  const done = appended(target, value, leaf)
  if ('code' in done) return done
  parent.members.set(leaf, done.node)
  return undefined
}
