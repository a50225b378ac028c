/**
 * Which threads an engine has beside the main one, and what each is for.
 *
 *     main │ shard 1 … shard n │ acceptor │ durable
 *
 * Any of them may be missing. Without shards the main thread has the sockets and gateways; with an acceptor that one has
 * the listeners and gateways, and the shards have the links.
 */
import type { Settings } from '../config/settings.ts'
import { MAIN } from '../engine/registry.ts'
import type { Place } from '../engine/routes.ts'
import { limits } from '../protocol/limits.ts'
import { partsOn } from './parts.ts'

/**
 * What a thread of the pool is for.
 *  - `shard`: has listeners and gateways of its own.
 *  - `acceptor`: has all listeners and gateways, and hands the workers' sockets on.
 *  - `shard behind acceptor`: has the links of sockets that the acceptor owns.
 *  - `durable`: has the partition and the workers that keep their things there.
 */
export type Role = 'shard' | 'acceptor' | 'shard behind acceptor' | 'durable'

/** A thread beside the main one. */
export interface Post {
  readonly place: Place
  readonly role: Role
  /** As people read it: `shard 1`. */
  readonly name: string
}

export interface Layout {
  /** In the order of their places. */
  readonly posts: readonly Post[]
  readonly acceptor: Place | undefined
  readonly durable: Place | undefined
  /** The main thread has the listeners and gateways itself. */
  readonly mainServes: boolean
  nameOf(place: Place): string
}

export function layoutOf(settings: Settings): Layout {
  const { shards } = settings
  const behind = shards > 0 && settings.acceptor === 'thread'
  const posts: Post[] = []
  const add = (role: Role, name: string): Place => {
    const place = posts.length + 1
    posts.push({ place, role, name })
    return place
  }
  for (let shard = 1; shard <= shards; shard++)
    add(behind ? 'shard behind acceptor' : 'shard', `shard ${shard}`)
  const acceptor = behind ? add('acceptor', 'acceptor') : undefined
  const durable = partsOn('durable', settings).length > 0 ? add('durable', 'durable') : undefined
  return {
    posts,
    acceptor,
    durable,
    mainServes: shards === 0,
    nameOf: place => (place === MAIN ? 'main' : (posts[place - 1]?.name ?? `thread ${place}`)),
  }
}

/** Has gateways, of which the lowest place answers for all. */
export const hasGateways = (role: Role): boolean => role === 'shard' || role === 'acceptor'

/** Milliseconds a thread that serves may be silent: a commit waits for the disk, and the thread with it. */
export const patienceOf = (role: Role): number =>
  role === 'durable' ? limits.silentDurableMs : limits.silentShardMs

/** What a log line calls it. */
export const nounOf = ({ role }: Post): string => (role === 'durable' ? 'the durable thread' : 'a shard')
