/**
 * A value that is being updated. Only what operations touch is opened; everything else stays the text that it was, so
 * that its numbers, escapes and order are the same afterwards. Keys live in maps: any string may be one.
 */
import { isEmptyArray, type JsonType, membersOf, typeOfJson } from '../../protocol/json/split.ts'
import { asJsonText, JSON_EMPTY_OBJECT, type JsonText, quote } from '../../protocol/jsonText.ts'

export interface OpenObject {
  readonly type: 'object'
  readonly members: Map<string, Node>
}

/** An array or a string that was appended to: its text without the end. */
export interface OpenText {
  readonly type: 'array' | 'string'
  body: string
  isEmpty: boolean
}

export type Node = JsonText | OpenObject | OpenText

/** The value at work, in a cell of its own: the root may be replaced, too. */
export interface Tree {
  root: Node
  /** The item was not there, and no operation has succeeded yet. */
  wasMissing: boolean
}

export function typeOf(node: Node): JsonType {
  return typeof node === 'string' ? typeOfJson(node) : node.type
}

export function emptyObject(): OpenObject {
  return { type: 'object', members: new Map() }
}

/** An object, opened; `undefined` if it is none. */
export function opened(node: Node): OpenObject | undefined {
  if (typeof node !== 'string') return node.type === 'object' ? node : undefined
  return typeOfJson(node) === 'object' ? { type: 'object', members: membersOf(node) } : undefined
}

/** The root as an object, opened for good; `undefined` if it is none. */
export function openRoot(tree: Tree): OpenObject | undefined {
  const object = opened(tree.root)
  if (object !== undefined) tree.root = object
  return object
}

/** The object under a key, opened for good. What is missing or no object is replaced by an empty one. */
export function openMember(parent: OpenObject, key: string): OpenObject {
  const present = parent.members.get(key)
  const object = (present === undefined ? undefined : opened(present)) ?? emptyObject()
  parent.members.set(key, object)
  return object
}

/** An array or a string to append to. */
export function openText(node: JsonText | OpenText): OpenText {
  if (typeof node !== 'string') return node
  const type = typeOfJson(node) as 'array' | 'string'
  return { type, body: node.slice(0, -1), isEmpty: type === 'array' && isEmptyArray(node) }
}

export function textOf(node: Node): JsonText {
  if (typeof node === 'string') return node
  if (node.type !== 'object') return asJsonText(node.body + (node.type === 'array' ? ']' : '"'))
  let text = ''
  for (const [key, member] of node.members) {
    text += `${text === '' ? '{' : ','}${quote(key)}:${textOf(member)}`
  }
  return text === '' ? JSON_EMPTY_OBJECT : asJsonText(`${text}}`)
}
