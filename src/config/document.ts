/** YAML with places: the value of a document, what is wrong with it, and where each part of it stands. */
import { isAlias, isMap, isScalar, isSeq, Lexer, type Node, type Pair, parseDocument, visit } from 'yaml'
import { limits } from '../protocol/limits.ts'
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
  const tooDeep = findDeepNesting(text)
  if (tooDeep !== undefined) {
    const message = `nested more than ${limits.configNesting} levels deep`
    const fault = { start: tooDeep, end: tooDeep + 1, message }
    return { value: undefined, faults: [fault], locate: () => START }
  }
  // Without `logLevel` the library writes warnings to the process by itself; its own search for keys that stand
  // there twice compares each with each.
  const document = parseDocument(text, { prettyErrors: false, logLevel: 'error', uniqueKeys: false })
  const faults = document.errors.map(({ pos, message }) => ({ start: pos[0], end: pos[1], message }))
  visit(document, {
    Map(_, map) {
      const keys = new Set<string>()
      for (const pair of map.items) {
        const key = keyText(pair)
        if (isScalar(pair.key) && keys.has(key)) {
          faults.push({ ...(stretchOf(pair.key) ?? START), message: 'this key stands there twice' })
        }
        keys.add(key)
      }
    },
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

/** Where the text goes deeper than `limits.configNesting`, found without building anything of it. */
function findDeepNesting(text: string): number | undefined {
  let offset = 0
  /** Levels of `[` and `{`; of `-`, `?` and `:` on this line; of lines that stand further right than those above. */
  let flow = 0
  let marks = 0
  let indents = [0]
  let lineStarts = true
  for (const token of new Lexer().lex(text)) {
    if (token === '\x02' || token === '\x18' || token === '\x1f') continue
    const blank = token.trim() === ''
    if (token.includes('\n') && blank) {
      lineStarts = true
      marks = 0
    } else if (!blank && lineStarts && flow === 0) {
      const column = offset - (text.lastIndexOf('\n', offset - 1) + 1)
      indents = [...indents.filter(each => each < column), column]
    }
    if (!blank) lineStarts = false
    if (token === '[' || token === '{') flow++
    else if ((token === ']' || token === '}') && flow > 0) flow--
    else if (token === '-' || token === '?' || (token === ':' && flow === 0)) marks++
    if (flow + marks + indents.length > limits.configNesting) return offset
    offset += token.length
  }
  return undefined
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
