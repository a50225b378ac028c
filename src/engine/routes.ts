/**
 * Who answers which function, as far as routing needs to know: a copy of one column of the directory, kept on every
 * thread, so that a call never has to ask another thread who takes it.
 */
import type { Connection } from './connection.ts'
import { DEFAULT_NAMESPACE } from './directory/records.ts'

/** Number of a thread: 0 is the main thread, the others follow. */
export type Place = number

/** The place of a worker that stands on every thread: each sends to its own. */
export const EVERYWHERE: Place = -1

export interface Route {
  readonly namespace: string
  readonly functionId: string
  readonly workerId: string
  readonly place: Place
  /** The engine is to call a URL instead of the worker. */
  readonly httpInvoked: boolean
  /** The way there: the worker's own connection, or the trunk to its thread. Looked up when it is first needed. */
  callee: Connection | undefined
}

export interface Routes {
  /** The default namespace, without joining strings: nearly every call asks here. */
  readonly inDefault: ReadonlyMap<string, Route>
  /** Grows with every change, so that what was found can be remembered until then. */
  version: number
  find(namespace: string | undefined, functionId: string): Route | undefined
  /** Namespaces that have the id, sorted. For the text of `function_not_found`. */
  namespacesOf(functionId: string): string[]
  /** The first `most` function ids of a namespace. */
  idsIn(namespace: string, most: number): string[]
  set(route: Route): void
  remove(namespace: string, functionId: string): void
  /** Puts these in the place of all there are. */
  replace(routes: readonly Route[]): void
  all(): Route[]
  /** Told of every function that somebody answers from now on, maybe for the second time. Returns how to stop it. */
  follow(told: (namespace: string, functionId: string) => void): () => void
}

export function createRoutes(): Routes {
  const inDefault = new Map<string, Route>()
  const followers = new Set<(namespace: string, functionId: string) => void>()
  const byNamespace = new Map<string, Map<string, Route>>([[DEFAULT_NAMESPACE, inDefault]])

  function set(route: Route): void {
    made.version++
    let routes = byNamespace.get(route.namespace)
    if (routes === undefined) {
      routes = new Map()
      byNamespace.set(route.namespace, routes)
    }
    routes.set(route.functionId, route)
    for (const tell of followers) tell(route.namespace, route.functionId)
  }

  const made: Routes = {
    inDefault,
    version: 0,

    find: (namespace, functionId) =>
      namespace === undefined || namespace === DEFAULT_NAMESPACE
        ? inDefault.get(functionId)
        : byNamespace.get(namespace)?.get(functionId),

    namespacesOf(functionId) {
      const found: string[] = []
      for (const [namespace, routes] of byNamespace) if (routes.has(functionId)) found.push(namespace)
      return found.sort()
    },

    idsIn: (namespace, most) => [...(byNamespace.get(namespace)?.keys().take(most) ?? [])],

    set,

    remove(namespace, functionId) {
      made.version++
      const routes = byNamespace.get(namespace)
      if (routes === undefined) return
      routes.delete(functionId)
      if (routes.size === 0 && routes !== inDefault) byNamespace.delete(namespace)
    },

    replace(routes) {
      made.version++
      for (const namespace of [...byNamespace.keys()]) {
        if (namespace !== DEFAULT_NAMESPACE) byNamespace.delete(namespace)
      }
      inDefault.clear()
      for (const route of routes) set(route)
    },

    all: () => [...byNamespace.values()].flatMap(routes => [...routes.values()]),

    follow(told) {
      followers.add(told)
      return () => void followers.delete(told)
    },
  }
  return made
}
