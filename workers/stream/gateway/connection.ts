/** A client's connection and its subscriptions, as an instance of the gateway knows them. */
import type { JsonText } from '../../../src/protocol/jsonText.ts'
import type { Room } from './rooms.ts'

/** What is needed of a socket. */
export interface Socket {
  /** Bytes that were sent; -1: they wait; 0: dropped. */
  send(text: string): number
  subscribe(topic: string): void
  unsubscribe(topic: string): void
  /** Bytes that have not left. */
  getBufferedAmount(): number
  pause(): void
  resume(): void
  close(code?: number, reason?: string): void
  /** Ends it at once. */
  terminate(): void
}

/**
 * `joining`: asked for, or not everything has come; `live`: it gets what happens; `lost`: it has missed something and is to
 * get everything anew; `gone`.
 */
export type SubscriptionState = 'joining' | 'live' | 'lost' | 'gone'

export interface Subscription {
  /** Never used again. */
  readonly number: number
  readonly connection: Connection
  readonly subscriptionId: string
  readonly stream: string
  readonly group: string
  readonly item: string | undefined
  readonly withIds: boolean
  readonly echo: boolean
  readonly since: number | undefined
  readonly room: Room
  state: SubscriptionState
  /** When it was last asked for. */
  askedAtMs: number
  /** The store half has let it in. */
  granted: boolean
  /** It has had its first sync. */
  synced: boolean
  /** The topic by which it gets what happens; absent: it is sent that alone. */
  topic: string | undefined
  /** What its room had published when it was taken out of it. */
  lostFrom: number
}

export interface Connection {
  readonly id: string
  readonly socket: Socket
  readonly context: JsonText
  /** By the id that the client gave. */
  readonly subscriptions: Map<string, Subscription>
  /** Topics of the socket: one subscription has each. */
  readonly topics: Set<string>
  /** Bytes of syncs that may wait without making it slow. */
  allowance: number
  /** Set: it is slow since then, and had so many bytes waiting when it was last seen to take some. */
  slow: { atMs: number; waiting: number } | undefined
  /** Messages that it may send, and when that was reckoned. */
  tokens: number
  tokensAtMs: number
  isPaused: boolean
  isOver: boolean
}
