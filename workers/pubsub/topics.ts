/**
 * Who has subscribed to what. A pattern is a topic, or has wildcards between separators:
 *
 *     orders.created    that topic
 *     orders.*          `*`: one part; orders.created, not orders.eu.created
 *     orders.>          `>`, last: one part or more; orders.created, orders.eu.created, not orders
 *
 * A separator matches itself only: `orders.*` has nothing to do with `orders/created`. Anywhere else `*` and `>` are
 * characters like others.
 */

export interface TopicTable<Value> {
  add(pattern: string, value: Value): void
  /** Takes out what was added under the same pattern. */
  remove(pattern: string, value: Value): void
  /** All values whose pattern matches, each once for every time it was added. */
  match(topic: string): Value[]
}

/** What begins with the parts that lead to it. */
interface Node<Value> {
  /** By separator and part: `.created`, and without separator for the first. */
  readonly next: Map<string, Node<Value>>
  /** `*`, by the separator before it. */
  readonly any: Map<string, Node<Value>>
  /** `>`, by the separator before it. */
  readonly rest: Map<string, Set<Value>>
  /** Patterns that end here. */
  readonly here: Set<Value>
}

interface Part {
  /** Empty before the first. */
  readonly separator: string
  readonly text: string
}

function createNode<Value>(): Node<Value> {
  return { next: new Map(), any: new Map(), rest: new Map(), here: new Set() }
}

export function splitTopic(topic: string, separators: string): Part[] {
  const parts: Part[] = []
  let separator = ''
  let from = 0
  for (let at = 0; at <= topic.length; at++) {
    if (at < topic.length && !separators.includes(topic[at]!)) continue
    parts.push({ separator, text: topic.slice(from, at) })
    separator = topic[at] ?? ''
    from = at + 1
  }
  return parts
}

const isWildcard = ({ text }: Part, index: number, parts: readonly Part[]): boolean =>
  text === '*' || (text === '>' && index === parts.length - 1)

/** Parts of a pattern with wildcards; 0: it is a topic. */
export function wildcardParts(pattern: string, separators: string): number {
  const parts = splitTopic(pattern, separators)
  return parts.some(isWildcard) ? parts.length : 0
}

function run(steps: readonly (() => void)[]): void {
  for (const step of steps) step()
}

export function createTopicTable<Value>(separators: string): TopicTable<Value> {
  const exact = new Map<string, Set<Value>>()
  const root = createNode<Value>()
  /** Patterns with wildcards: without any, topics need not be taken apart. */
  let wild = 0

  /** The sets and the maps on the way to where a pattern ends; made if they are not there. */
  function placeOf(parts: readonly Part[]): { values: Set<Value>; leave: () => void } {
    let node = root
    /** From the end to the beginning: takes out what is empty. */
    const leaving: (() => void)[] = []
    for (const [index, { separator, text }] of parts.entries()) {
      if (text === '>' && index === parts.length - 1) {
        const { rest } = node
        const values = rest.get(separator) ?? new Set()
        rest.set(separator, values)
        leaving.unshift(() => values.size === 0 && rest.delete(separator))
        return { values, leave: () => run(leaving) }
      }
      const [map, key] = text === '*' ? [node.any, separator] : [node.next, separator + text]
      const child: Node<Value> = map.get(key) ?? createNode()
      map.set(key, child)
      leaving.unshift(() => isEmpty(child) && map.delete(key))
      node = child
    }
    return { values: node.here, leave: () => run(leaving) }
  }

  function isEmpty({ next, any, rest, here }: Node<Value>): boolean {
    return next.size + any.size + rest.size + here.size === 0
  }

  function walk(node: Node<Value>, parts: readonly Part[], index: number, found: Value[]): void {
    const part = parts[index]
    if (part === undefined) {
      for (const value of node.here) found.push(value)
      return
    }
    const { separator, text } = part
    const rest = node.rest.get(separator)
    // `>` stands for something: a topic that ends in its separator has an empty part there.
    if (rest !== undefined && (index < parts.length - 1 || text !== ''))
      for (const value of rest) found.push(value)
    const any = text === '' ? undefined : node.any.get(separator)
    if (any !== undefined) walk(any, parts, index + 1, found)
    const next = node.next.get(separator + text)
    if (next !== undefined) walk(next, parts, index + 1, found)
  }

  return {
    add(pattern, value) {
      const parts = splitTopic(pattern, separators)
      if (parts.some(isWildcard)) {
        wild++
        placeOf(parts).values.add(value)
        return
      }
      const values = exact.get(pattern)
      if (values === undefined) exact.set(pattern, new Set([value]))
      else values.add(value)
    },

    remove(pattern, value) {
      const parts = splitTopic(pattern, separators)
      if (parts.some(isWildcard)) {
        const { values, leave } = placeOf(parts)
        if (values.delete(value)) wild--
        leave()
        return
      }
      const values = exact.get(pattern)
      values?.delete(value)
      if (values?.size === 0) exact.delete(pattern)
    },

    match(topic) {
      const found = [...(exact.get(topic) ?? [])]
      if (wild > 0) walk(root, splitTopic(topic, separators), 0, found)
      return found
    },
  }
}
