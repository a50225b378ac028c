/** What a shard is told at its start, and what it and the main thread say to each other beside the rings. */
import type { MessagePort } from 'node:worker_threads'
import type { Settings } from '../config/settings.ts'
import type { Place } from '../engine/routes.ts'
import type { LogFields, LogLevel } from '../log/log.ts'
import type { ThreadAccount } from './account.ts'
import type { Role } from './layout.ts'
import type { Identity } from './thread.ts'

/** The rings between a thread and one other. */
export interface RingPair {
  readonly incoming: SharedArrayBuffer
  readonly outgoing: SharedArrayBuffer
}

export interface ShardTask {
  readonly place: Place
  readonly role: Role
  /** As people read it: `shard 1`. */
  readonly name: string
  /** Place of the acceptor, if there is one. */
  readonly acceptor: Place | undefined
  /** Place of the durable thread, if there is one. */
  readonly durable: Place | undefined
  readonly settings: Settings
  /** The rings to each other thread, the main one included. */
  readonly rings: ReadonlyMap<Place, RingPair>
  /** Who the gateways are, by the name of their instance. */
  readonly gateways: ReadonlyMap<string, Identity>
  /** One counter for each thread; a thread that lives counts its own up. */
  readonly beats: SharedArrayBuffer
  /** Where this thread writes down what it has counted (`ledger.ts`). */
  readonly ledger: SharedArrayBuffer
  readonly logLevel: LogLevel
  /** One number: log lines of this thread that the main thread has not taken yet. */
  readonly linesUnderWay: SharedArrayBuffer
  readonly port: MessagePort
}

/** From the main thread. */
export type ToShard =
  /** Its turn to place its workers and to listen has come. Settings name the ports that others have been given. */
  | { readonly say: 'serve'; readonly settings: Settings }
  | { readonly say: 'peer'; readonly place: Place; readonly rings: RingPair }
  | { readonly say: 'peer gone'; readonly place: Place }
  | { readonly say: 'drain'; readonly ms: number }
  | { readonly say: 'stop' }
  | { readonly say: 'status'; readonly id: number; readonly workers: readonly string[] }

/** Where a shard listens. */
export interface ShardPorts {
  /** Of the worker listeners, in the order of the settings. */
  readonly listeners: readonly number[]
  /** Addresses of gateways, by the instance of the worker they are a part of. */
  readonly gateways: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/** To the main thread. */
export type FromShard =
  | { readonly say: 'ready'; readonly ports: ShardPorts; readonly addresses: Record<string, string> }
  | { readonly say: 'failed'; readonly error: unknown }
  /** It knows the way to the thread it was told of. */
  | { readonly say: 'connected'; readonly place: Place }
  | { readonly say: 'drained' }
  | { readonly say: 'status'; readonly id: number; readonly account: ThreadAccount }
  | {
      readonly say: 'log'
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly message: string
      readonly fields: LogFields | undefined
    }
