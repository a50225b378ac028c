/**
 * Clients that take their messages more slowly than they come (`docs/streams.md#slow-clients`). What waits for one is looked
 * at from time to time, by the bytes that were published; a slow one is taken out of its rooms, so that no more is written
 * for it, and its neighbours notice nothing.
 *
 *     well ──too much waits──▶ slow ──it has taken most of it──▶ well: everything anew, or what was left out is told
 *                                └───it takes nothing at all──▶ cut
 */
import type { Clock } from '../../../src/clock/clock.ts'
import type { Log } from '../../../src/log/log.ts'
import { isMilestone } from '../../../src/log/notices.ts'
import { limits } from '../../../src/protocol/limits.ts'
import type { StreamConfig } from '../config.ts'
import { lostMessage } from '../messages.ts'
import type { Connection } from './connection.ts'
import type { Counters } from './counters.ts'
import type { Hub } from './hub.ts'
import { connectionsIn, type Room, type Rooms } from './rooms.ts'

export interface SlowParts {
  readonly hub: () => Pick<Hub, 'lose' | 'resync'>
  readonly rooms: Rooms
  readonly counters: Counters
  readonly clock: Clock
  readonly log: Log
  readonly config: Pick<StreamConfig, 'slow_client' | 'slow_client_bytes'>
}

export interface SlowClients {
  /** To one connection. `byRight`: it does not make it slow by itself. */
  send(connection: Connection, text: string, byRight?: boolean): void
  /** So many bytes were published to a room. */
  published(room: Room, bytes: number): void
  /** The socket has taken some of what waited. */
  drained(connection: Connection): void
  forget(connection: Connection): void
  count(): number
  stop(): void
}

export function createSlowClients(parts: SlowParts): SlowClients {
  const { hub, rooms, counters, clock, log, config } = parts
  const most = config.slow_client_bytes
  const slow = new Set<Connection>()
  const dirty = new Set<Room>()
  let unseen = 0
  let cancelLook: (() => void) | undefined

  function cut(connection: Connection, why: string): void {
    counters.cut++
    if (isMilestone(counters.cut))
      log.warn(`a client of streams was cut: ${why}`, {
        connection_id: connection.id,
        count: counters.cut,
      })
    slow.delete(connection)
    connection.socket.terminate()
  }

  function look(connection: Connection): void {
    if (connection.isOver || connection.slow !== undefined) return
    const waiting = connection.socket.getBufferedAmount()
    connection.allowance = Math.min(connection.allowance, waiting)
    if (waiting - connection.allowance <= most) return
    counters.slow++
    if (isMilestone(counters.slow))
      log.warn('a client of streams is slow: it is told no more until it has caught up', {
        connection_id: connection.id,
        unsent_bytes: waiting,
        policy: config.slow_client,
        count: counters.slow,
      })
    if (config.slow_client === 'close') {
      cut(connection, 'it was slow')
      return
    }
    connection.slow = { atMs: clock.now(), waiting }
    slow.add(connection)
    hub().lose(connection.subscriptions.values())
    cancelLook ??= clock.after(limits.streamSlowLookMs, lookAtSlow)
  }

  function recover(connection: Connection): void {
    connection.slow = undefined
    connection.allowance = 0
    slow.delete(connection)
    const all = [...connection.subscriptions.values()]
    if (config.slow_client === 'drop') {
      for (const subscription of all) {
        if (subscription.state !== 'lost' || !subscription.synced) continue
        const count = rooms.published(subscription) - subscription.lostFrom
        counters.lost += count
        subscription.state = 'live'
        rooms.enter(subscription)
        if (count > 0)
          send(connection, lostMessage(subscription, clock.now(), count, subscription.room.lastSeq))
      }
    }
    hub().resync(all)
  }

  function drained(connection: Connection): void {
    const { slow: since } = connection
    if (since === undefined || connection.isOver) return
    const waiting = connection.socket.getBufferedAmount()
    if (waiting <= most / 4) {
      recover(connection)
    } else if (waiting < since.waiting) {
      connection.slow = { atMs: clock.now(), waiting }
    } else if (clock.now() - since.atMs >= limits.streamStuckMs) {
      cut(connection, 'it takes nothing of what waits for it')
    }
  }

  function lookAtSlow(): void {
    cancelLook = undefined
    for (const connection of [...slow]) drained(connection)
    if (slow.size > 0) cancelLook ??= clock.after(limits.streamSlowLookMs, lookAtSlow)
  }

  function send(connection: Connection, text: string, byRight = false): void {
    if (connection.isOver || (connection.slow !== undefined && !byRight)) return
    const sent = connection.socket.send(text)
    if (sent > 0) return
    if (sent === 0) {
      cut(connection, 'too much waits for it')
      return
    }
    if (byRight) connection.allowance += text.length
    look(connection)
  }

  return {
    send,
    published(room, bytes) {
      dirty.add(room)
      unseen += bytes
      if (unseen < limits.streamLookBytes) return
      unseen = 0
      for (const seen of dirty) for (const connection of connectionsIn(seen)) look(connection)
      dirty.clear()
    },
    drained,
    forget: connection => void slow.delete(connection),
    count: () => slow.size,
    stop: () => cancelLook?.(),
  }
}
