/**
 * Which route serves a method and a path.
 *
 * One tree per method, one node per path segment, so a match costs the same with one route and with thousands, and
 * adding or removing one touches its own nodes only. At each segment a literal beats a parameter and a parameter beats
 * a wildcard; a choice that leads nowhere is taken back.
 *
 *     GET ── orders ──○ GET /orders
 *              └──── : ──○ GET /orders/:id
 *              │     └── items ──○ GET /orders/:order/items      names belong to routes, not to nodes
 *              └──── * ──○ …
 *
 * Why not a router from a package: `docs/decisions/0002-route-tree.md`.
 */
import { decodeSegment, type Segment } from './pattern.ts'

/** Methods a route can serve, in the order in which `Allow` names them. */
export const SERVED_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const
export type ServedMethod = (typeof SERVED_METHODS)[number]

export interface Route<Target> {
  readonly triggerId: string
  readonly method: ServedMethod | '*'
  /** As registered. */
  readonly pattern: string
  readonly segments: readonly Segment[]
  readonly target: Target
}

export interface Match<Target> {
  readonly route: Route<Target>
  /** What the parameters and the wildcard stand for, in the order of the pattern; not decoded. */
  readonly values: readonly string[]
}

export interface RouteTable<Target> {
  /** The route that stands in the way of `route`: same method and structure, other parameter names. */
  conflictWith(route: Route<Target>): Route<Target> | undefined
  /** Adds a route that has no conflict; one with the same method and path waits below it and is returned. */
  add(route: Route<Target>): Route<Target> | undefined
  /** Removes the routes that this trigger still owns. */
  removeTrigger(triggerId: string): void
  /** `path` begins with a slash. */
  match(method: string, path: string): Match<Target> | undefined
  /** The methods for which `path` has a route. */
  methodsFor(path: string): ServedMethod[]
  size(): number
}

/**
 * The routes at the end of one path for one method. The first that is there serves: the method's own route, for HEAD
 * the one of GET, the one for any method.
 */
type Place<Target> = [
  own: Route<Target> | undefined,
  get: Route<Target> | undefined,
  any: Route<Target> | undefined,
]
type Rank = 0 | 1 | 2

interface Node<Target> {
  literals: Map<string, Node<Target>>
  parameter: Node<Target> | undefined
  /** Routes that end here. */
  exact: Place<Target> | undefined
  /** Routes whose wildcard begins here. */
  wildcard: Place<Target> | undefined
}

function createNode<Target>(): Node<Target> {
  return { literals: new Map(), parameter: undefined, exact: undefined, wildcard: undefined }
}

function firstOf<Target>(place: Place<Target> | undefined): Route<Target> | undefined {
  return place === undefined ? undefined : (place[0] ?? place[1] ?? place[2])
}

/** The trees a route stands in, and at which rank. */
function placesOf(method: ServedMethod | '*'): [ServedMethod, Rank][] {
  if (method === '*') return SERVED_METHODS.map(each => [each, 2])
  return method === 'GET'
    ? [
        ['GET', 0],
        ['HEAD', 1],
      ]
    : [[method, 0]]
}

/** Equal for patterns whose routes replace each other: `:id` and `{id}` say the same. */
function meaningOf(segments: readonly Segment[]): string {
  return JSON.stringify(segments.map(each => (each.kind === 'literal' ? each.text : [each.kind, each.name])))
}

function stepInto<Target>(node: Node<Target>, segment: Segment): Node<Target> | undefined {
  return segment.kind === 'literal' ? node.literals.get(segment.text) : node.parameter
}

export function createRouteTable<Target>(): RouteTable<Target> {
  const trees = new Map<string, Node<Target>>(SERVED_METHODS.map(method => [method, createNode<Target>()]))
  const byTrigger = new Map<string, Route<Target>[]>()
  /** A route that another one replaced waits below it and serves again when that one goes: below ⇄ above. */
  const below = new Map<Route<Target>, Route<Target>>()
  const above = new Map<Route<Target>, Route<Target>>()
  let count = 0

  function nodeBeforeLast(root: Node<Target>, segments: readonly Segment[]): Node<Target> | undefined {
    let node: Node<Target> | undefined = root
    for (let i = 0; i < segments.length - 1 && node !== undefined; i++) node = stepInto(node, segments[i]!)
    return node
  }

  /** Routes that end at the same place as `segments` would; a parameter and a wildcard in last place are the same. */
  function neighbours(root: Node<Target>, segments: readonly Segment[], rank: Rank): Route<Target>[] {
    const node = nodeBeforeLast(root, segments)
    if (node === undefined) return []
    const last = segments.at(-1)!
    const places =
      last.kind === 'literal' ? [stepInto(node, last)?.exact] : [node.parameter?.exact, node.wildcard]
    return places.flatMap(place => place?.[rank] ?? [])
  }

  function place(root: Node<Target>, route: Route<Target>, rank: Rank): void {
    let node = root
    for (const segment of route.segments) {
      if (segment.kind === 'wildcard') {
        node.wildcard ??= [undefined, undefined, undefined]
        node.wildcard[rank] = route
        return
      }
      let next = stepInto(node, segment)
      if (next === undefined) {
        next = createNode()
        if (segment.kind === 'literal') node.literals.set(segment.text, next)
        else node.parameter = next
      }
      node = next
    }
    node.exact ??= [undefined, undefined, undefined]
    node.exact[rank] = route
  }

  /** Takes `route` out and every node that is empty then. Returns whether `node` is empty. */
  function displace(node: Node<Target>, route: Route<Target>, depth: number, rank: Rank): boolean {
    const segment = route.segments[depth]
    if (segment === undefined || segment.kind === 'wildcard') {
      const which = segment === undefined ? 'exact' : 'wildcard'
      const found = node[which]
      if (found?.[rank] === route) {
        found[rank] = undefined
        if (firstOf(found) === undefined) node[which] = undefined
      }
    } else {
      const next = stepInto(node, segment)
      if (next !== undefined && displace(next, route, depth + 1, rank)) {
        if (segment.kind === 'literal') node.literals.delete(segment.text)
        else node.parameter = undefined
      }
    }
    return (
      node.exact === undefined &&
      node.wildcard === undefined &&
      node.parameter === undefined &&
      node.literals.size === 0
    )
  }

  function forget(route: Route<Target>): void {
    const rest = (byTrigger.get(route.triggerId) ?? []).filter(each => each !== route)
    if (rest.length === 0) byTrigger.delete(route.triggerId)
    else byTrigger.set(route.triggerId, rest)
  }

  function putBelow(upper: Route<Target>, lower: Route<Target> | undefined): void {
    const before = below.get(upper)
    if (before !== undefined) above.delete(before)
    if (lower === undefined) {
      below.delete(upper)
    } else {
      below.set(upper, lower)
      above.set(lower, upper)
    }
  }

  /** Takes a route out, wherever it stands; what waits below a serving one serves again. */
  function remove(route: Route<Target>): void {
    forget(route)
    const upper = above.get(route)
    const lower = below.get(route)
    putBelow(route, undefined)
    if (upper !== undefined) {
      putBelow(upper, lower)
      return
    }
    for (const [method, rank] of placesOf(route.method)) {
      const root = trees.get(method)!
      displace(root, route, 0, rank)
      if (lower !== undefined) place(root, lower, rank)
    }
    if (lower === undefined) count--
  }

  // Scratch of the match under way. A match is synchronous and never re-entered.
  let path = ''
  let hasEscapes = false
  const captured: string[] = []

  /** `from` is where the segment begins that `node` has to serve, `depth` the number of values captured so far. */
  function find(node: Node<Target>, from: number, depth: number): Route<Target> | undefined {
    const slash = path.indexOf('/', from)
    const isLast = slash < 0
    const text = path.slice(from, isLast ? path.length : slash)
    if (node.literals.size > 0) {
      const next = node.literals.get(hasEscapes ? (decodeSegment(text) ?? text) : text)
      if (next !== undefined) {
        const found = isLast ? firstOf(next.exact) : find(next, slash + 1, depth)
        if (found !== undefined) return found
      }
    }
    if (node.parameter !== undefined && text !== '') {
      const found = isLast ? firstOf(node.parameter.exact) : find(node.parameter, slash + 1, depth + 1)
      if (found !== undefined) {
        captured[depth] = text
        return found
      }
    }
    if (node.wildcard === undefined || from === path.length) return undefined
    captured[depth] = path.slice(from)
    return firstOf(node.wildcard)
  }

  function match(method: string, requestPath: string): Match<Target> | undefined {
    const root = trees.get(method)
    if (root === undefined) return undefined
    path = requestPath
    hasEscapes = path.includes('%')
    captured.length = 0
    const route = find(root, 1, 0)
    return route === undefined
      ? undefined
      : { route, values: captured.length === 0 ? NONE : captured.slice() }
  }

  return {
    conflictWith(route) {
      const [method, rank] = placesOf(route.method)[0]!
      const meaning = meaningOf(route.segments)
      return neighbours(trees.get(method)!, route.segments, rank).find(
        each => meaningOf(each.segments) !== meaning,
      )
    },
    add(route) {
      const places = placesOf(route.method)
      const [method, rank] = places[0]!
      const replaced = neighbours(trees.get(method)!, route.segments, rank)[0]
      if (replaced === undefined) count++
      else putBelow(route, replaced)
      for (const [each, at] of places) place(trees.get(each)!, route, at)
      byTrigger.set(route.triggerId, [...(byTrigger.get(route.triggerId) ?? []), route])
      return replaced
    },
    removeTrigger(triggerId) {
      for (const route of byTrigger.get(triggerId) ?? []) remove(route)
    },
    match,
    methodsFor: requestPath => SERVED_METHODS.filter(method => match(method, requestPath) !== undefined),
    size: () => count,
  }
}

const NONE: readonly string[] = []
