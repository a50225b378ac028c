/**
 * The file of an entry: YAML for people. What they write in it, comments and the order of keys, stays when the engine
 * writes a value.
 */
import type { Document, Node, Scalar, YAMLMap } from 'yaml'
import type { Edit } from './decide.ts'
import type { Entry } from './entry.ts'
import { isObject, isSame, type Json } from './json.ts'

type Yaml = typeof import('yaml')

/** YAML with places, as `src/config/document.ts` reads it: bounded in depth and in what aliases become. */
export type ReadDocument = (text: string) => {
  readonly value: unknown
  readonly faults: readonly { readonly start: number; readonly message: string }[]
  locate(path: readonly PropertyKey[], aboutKey: boolean): { readonly start: number }
}

/** What needs the YAML library, which is loaded when the first entry is there. */
export interface Documents {
  write(entry: Entry, present: string | undefined): string
  read(id: string, text: string): EditResult
}

export type EditResult =
  | { readonly ok: true; readonly edit: Edit; lineOf(pointer: string): number }
  /** `isForeign`: it is a file of somebody else, and no entry at all. */
  | { readonly ok: false; readonly line: number; readonly message: string; readonly isForeign: boolean }

export function createDocuments(yaml: Yaml, readDocument: ReadDocument): Documents {
  return {
    write: (entry, present) => write(yaml, readDocument, entry, present),
    read: (id, text) => readEdit(readDocument, id, text),
  }
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}

function readEdit(readDocument: ReadDocument, id: string, text: string): EditResult {
  const document = readDocument(text)
  const refuse = (start: number, message: string, isForeign = false): EditResult => ({
    ok: false,
    line: lineAt(text, start),
    message,
    isForeign,
  })
  const [fault] = document.faults
  if (fault !== undefined) return refuse(fault.start, fault.message)
  const root = document.value
  if (!isObject(root) || !Object.hasOwn(root, 'id')) {
    return refuse(0, `it has no key \`id\` with the value ${id}`, true)
  }
  const startOf = (key: string): number => document.locate([key], false).start
  if (root.id !== id) return refuse(startOf('id'), `its \`id\` must be ${id}, as its name says`, true)
  if (!Object.hasOwn(root, 'value')) return refuse(0, 'the key `value` is missing')
  const text_ = (key: string): string | undefined => (typeof root[key] === 'string' ? root[key] : undefined)
  const metadata = root.metadata ?? undefined
  return {
    ok: true,
    edit: { name: text_('name'), description: text_('description'), value: root.value ?? null, metadata },
    lineOf(pointer) {
      const parts = pointer.split('/').filter(part => part !== '')
      const path = parts.map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
      return lineAt(text, document.locate(['value', ...path], false).start)
    },
  }
}

function contentOf({ id, name, description, value, metadata }: Entry): { [key: string]: Json } {
  return { id, name, description, value, ...(metadata === undefined ? {} : { metadata }) }
}

const FORM = { lineWidth: 0 } as const

function write(yaml: Yaml, readDocument: ReadDocument, entry: Entry, present: string | undefined): string {
  const content = contentOf(entry)
  const kept = present === undefined ? undefined : rewrite(yaml, readDocument, content, present)
  return kept ?? yaml.stringify(content, { ...FORM, aliasDuplicateObjects: false })
}

/** The text with other values; `undefined` when that is not possible without a doubt. */
function rewrite(
  yaml: Yaml,
  readDocument: ReadDocument,
  content: { [key: string]: Json },
  present: string,
): string | undefined {
  try {
    // Bounded in depth, which the library is not. Its own search for keys that stand there twice compares each with each.
    if (readDocument(present).faults.length > 0) return undefined
    const document = yaml.parseDocument(present, { logLevel: 'silent', uniqueKeys: false })
    if (document.errors.length > 0 || !yaml.isMap(document.contents)) return undefined
    let hasAnchors = false
    yaml.visit(document, {
      Node(_, node) {
        if (yaml.isAlias(node) || node.anchor !== undefined) hasAnchors = true
      },
    })
    // Aliases would change in several places at once.
    if (hasAnchors) return undefined
    update(yaml, document, document.contents, content)
    const text = document.toString(FORM)
    const { id, name, description, value, metadata } = yaml.parse(text, { uniqueKeys: false }) as Record<
      string,
      Json
    >
    const reread = {
      id: id!,
      name: name!,
      description: description!,
      value: value!,
      ...(metadata === undefined ? {} : { metadata }),
    }
    return isSame(reread, content) ? text : undefined
  } catch {
    return undefined
  }
}

/** Makes a map say the same as an object and touches only what differs. */
function update(
  yaml: Yaml,
  document: Document,
  map: YAMLMap,
  wanted: { readonly [key: string]: Json },
): void {
  map.items = map.items.filter(({ key }) => yaml.isScalar(key) && Object.hasOwn(wanted, String(key.value)))
  const present = new Map(map.items.map(pair => [String((pair.key as Scalar).value), pair]))
  for (const [key, value] of Object.entries(wanted)) {
    const pair = present.get(key)
    if (pair === undefined) {
      map.items.push(document.createPair(key, value))
      continue
    }
    const node = pair.value as Node | null
    if (yaml.isMap(node) && isObject(value)) {
      update(yaml, document, node, value)
      continue
    }
    if (node !== null && isSame(node.toJS(document) as Json, value)) continue
    const made = document.createNode(value)
    if (yaml.isScalar(node) && yaml.isScalar(made)) made.comment = node.comment ?? null
    pair.value = made
  }
}
