/**
 * Sockets on one thread, links on another: the acceptor thread owns the sockets and passes what comes over them to
 * shards, which treat them as their own. Every event of a socket is one record of the link between the two.
 *
 *     acceptor                                        shard
 *     socket opens, says, drains, closes ──events──▶  a stand-in with the same interface
 *     socket sends, pauses, closes       ◀──orders──  what its link asks for
 *
 * Nothing waits in a ring without bound: the acceptor stops reading its sockets while their shard does not take what it
 * has; to a shard, a full ring is a blocked socket. What waits in a socket is told to its link, which so waits and cuts
 * as it would with a socket of its own.
 *
 *     tag = kind (8 bits) │ number of the socket (24 bits)
 */
import { limits } from '../protocol/limits.ts'
import type { RingLink } from './ringLink.ts'

/** Events of sockets. */
export const OPENED = 16
export const TEXT = 17
export const BINARY = 18
export const BLOCKED = 19
export const DRAINED = 20
export const CLOSED = 21
export const PONGED = 22
/** Orders to sockets. */
export const SEND_TEXT = 32
export const SEND_BINARY = 33
export const PAUSE = 34
export const RESUME = 35
export const CLOSE = 36
export const TERMINATE = 37
export const PING = 38

const KIND_SHIFT = 24
export const NUMBER_MASK = 2 ** KIND_SHIFT - 1

export const tagOf = (kind: number, number: number): number => (kind << KIND_SHIFT) | number
export const kindOf = (tag: number): number => tag >>> KIND_SHIFT
export const numberOf = (tag: number): number => tag & NUMBER_MASK

export const NOTHING = new Uint8Array(0)

/** What `send` of a socket returns when the message is taken and waits. */
export const QUEUED = -1
export const LOST = 0

export const isOpen = ({ readyState }: { readonly readyState: number }): boolean =>
  readyState === WebSocket.OPEN

/** As much of a ring link as is needed. */
export type RelayLink = Pick<RingLink, 'record' | 'backlog'>

export const isFull = (link: RelayLink): boolean => link.backlog() >= limits.outboundHighWaterBytes
