/** What is due first: a heap, in which every entry knows its place, so that it can be taken out from anywhere. */

export interface HeapNode {
  /** Milliseconds since 1970. */
  dueMs: number
  /** Place in the heap; -1: it is in none. */
  place: number
}

export interface Heap<Node extends HeapNode> {
  /** Puts a node in, or moves it to where it belongs. */
  set(node: Node, dueMs: number): void
  remove(node: Node): void
  first(): Node | undefined
  size(): number
}

export function createHeap<Node extends HeapNode>(): Heap<Node> {
  const nodes: Node[] = []

  function put(node: Node, place: number): void {
    nodes[place] = node
    node.place = place
  }

  function rise(node: Node): void {
    let place = node.place
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (nodes[parent]!.dueMs <= node.dueMs) break
      put(nodes[parent]!, place)
      place = parent
    }
    put(node, place)
  }

  function sink(node: Node): void {
    let place = node.place
    for (;;) {
      let child = 2 * place + 1
      if (child >= nodes.length) break
      if (child + 1 < nodes.length && nodes[child + 1]!.dueMs < nodes[child]!.dueMs) child++
      if (nodes[child]!.dueMs >= node.dueMs) break
      put(nodes[child]!, place)
      place = child
    }
    put(node, place)
  }

  return {
    set(node, dueMs) {
      node.dueMs = dueMs
      if (node.place < 0) put(node, nodes.length)
      rise(node)
      sink(node)
    },
    remove(node) {
      const { place } = node
      if (place < 0) return
      const last = nodes.pop()!
      node.place = -1
      if (last === node) return
      put(last, place)
      rise(last)
      sink(last)
    },
    first: () => nodes[0],
    size: () => nodes.length,
  }
}
