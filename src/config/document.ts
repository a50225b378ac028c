/** YAML with places: the value of a document, what is wrong with it, and where each part of it stands. */
import { isAlias, isMap, isScalar, isSeq, Lexer, type Node, type Pair, parseDocument, visit } from 'yaml'
import type { Path } from './issues.ts'

/** Offsets into the text, the end excluded. */
export interface Stretch {
  readonly start: number
  readonly end: number
}

const START: Stretch = { start: 0, end: 0 }

export interface YamlDocument {
  /** Plain data; `undefined` when there are faults. */
  readonly value: unknown
  readonly faults: readonly (Stretch & { readonly message: string })[]
  /** Where the value (or the key) at a path stands; as near as possible when the path leads nowhere. */
  locate(path: Path, aboutKey: boolean): Stretch
}

export function readDocument(text: string): YamlDocument {
  // Without `logLevel` the library writes warnings to the process by itself.
  const document = parseDocument(text, { prettyErrors: false, logLevel: 'error', uniqueKeys: true })
  const faults = document.errors.map(({ pos, message }) => ({ start: pos[0], end: pos[1], message }))
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return
      faults.push({
        ...(stretchOf(alias) ?? START),
        message: 'this alias (*) names no anchor (&) that stands before it',
      })
    },
  })
  let value: unknown
  if (faults.length === 0) {
    try {
      value = document.toJS()
    } catch {
      // A few lines of aliases of aliases expand into gigabytes; the library stops in time.
      faults.push({ ...START, message: 'its aliases expand into more than can be read' })
    }
  }

  return {
    value,
    faults,
    locate(path, aboutKey) {
      let node: unknown = document.contents
      let place = stretchOf(node) ?? START
      for (const [depth, key] of path.entries()) {
        if (isAlias(node)) node = node.resolve(document)
        const pair = isMap(node) ? node.items.find(item => keyText(item) === String(key)) : undefined
        const wantsKey = aboutKey && depth === path.length - 1
        if (pair !== undefined) node = wantsKey ? pair.key : (pair.value ?? pair.key)
        else if (isSeq(node)) node = node.items[Number(key)]
        else break
        const found = stretchOf(node)
        if (found === undefined) break
        place = found
      }
      return place
    },
  }
}

function stretchOf(node: unknown): Stretch | undefined {
  const range = (node as Node | undefined)?.range
  return range ? { start: range[0], end: range[1] } : undefined
}

function keyText(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : ''
}

/** What stands in comments. Works on text that is not valid YAML too. */
export function findComments(text: string): Stretch[] {
  const comments: Stretch[] = []
  let offset = 0
  let scalarFollows = false
  for (const token of new Lexer().lex(text)) {
    // The lexer marks some tokens by single control characters that are not part of the text.
    if (token === '\x02' || token === '\x18' || token === '\x1f') {
      scalarFollows = token === '\x1f'
      continue
    }
    if (token.startsWith('#') && !scalarFollows) comments.push({ start: offset, end: offset + token.length })
    scalarFollows = false
    offset += token.length
  }
  return comments
}
