/**
 * Who of this instance hears of what. A message is written once and published to a topic, by the server below; only who is
 * subscribed to the same twice, or wants to be named in it, is sent it alone. One copy for each subscription it matches.
 */

import { withSubscription } from '../messages.ts'
import type { Group } from '../store.ts'
import { groupKey } from '../subscriptions.ts'
import type { Connection, Subscription } from './connection.ts'

interface Topic {
  readonly name: string
  /** Sockets that are subscribed to it. */
  count: number
  /** Subscriptions to what it is about, of whatever state. */
  wanted: number
  /** Messages published to it, or that would have been. */
  published: number
}

/** A group with subscriptions, of whatever state. */
export interface Room extends Group {
  readonly all: Topic
  readonly items: Map<string, Topic>
  /** Live ones without a topic. */
  readonly alone: Set<Subscription>
  readonly subscriptions: Set<Subscription>
  /** Number of the last event; 0: not known. */
  lastSeq: number
}

export interface RoomParts {
  publish(topic: string, text: string): void
  /** To one subscription, alone. */
  send(subscription: Subscription, text: string): void
}

export interface Rooms {
  /** The room of a group, made if there is none. */
  of(group: Group): Room
  find(group: Group): Room | undefined
  add(subscription: Subscription): void
  /** It hears of nothing any more; the room goes with the last. */
  remove(subscription: Subscription): void
  /** It hears of what happens from now on. */
  enter(subscription: Subscription): void
  /** Not for now. */
  exit(subscription: Subscription): void
  /** Returns how many subscriptions get it. */
  tell(room: Room, item: string | null, text: string): number
  /** Messages a subscription would have got. */
  published(subscription: Subscription): number
  all(): IterableIterator<Room>
}

export function createRooms({ publish, send }: RoomParts): Rooms {
  const rooms = new Map<string, Room>()
  let topics = 0

  const newTopic = (): Topic => ({ name: `t${++topics}`, count: 0, wanted: 0, published: 0 })

  function of(group: Group): Room {
    const key = groupKey(group)
    let room = rooms.get(key)
    if (room === undefined) {
      const { stream, group: name } = group
      room = {
        stream,
        group: name,
        all: newTopic(),
        items: new Map(),
        alone: new Set(),
        subscriptions: new Set(),
        lastSeq: 0,
      }
      rooms.set(key, room)
    }
    return room
  }

  function topicOf({ room, item }: Subscription): Topic {
    if (item === undefined) return room.all
    let topic = room.items.get(item)
    if (topic === undefined) {
      topic = newTopic()
      room.items.set(item, topic)
    }
    return topic
  }

  function exit(subscription: Subscription): void {
    const { room, connection } = subscription
    room.alone.delete(subscription)
    if (subscription.topic === undefined) return
    connection.topics.delete(subscription.topic)
    if (!connection.isOver) connection.socket.unsubscribe(subscription.topic)
    topicOf(subscription).count--
    subscription.topic = undefined
  }

  /** Tells a topic; returns how many have it. */
  function tellTopic(topic: Topic, text: string): number {
    topic.published++
    if (topic.count > 0) publish(topic.name, text)
    return topic.count
  }

  return {
    of,
    find: group => rooms.get(groupKey(group)),
    all: () => rooms.values(),

    add(subscription) {
      subscription.room.subscriptions.add(subscription)
      topicOf(subscription).wanted++
    },

    remove(subscription) {
      exit(subscription)
      const { room, item } = subscription
      if (!room.subscriptions.delete(subscription)) return
      const topic = topicOf(subscription)
      topic.wanted--
      if (room.subscriptions.size === 0) rooms.delete(groupKey(room))
      else if (item !== undefined && topic.wanted === 0) room.items.delete(item)
    },

    enter(subscription) {
      const { room, connection, echo } = subscription
      const topic = topicOf(subscription)
      if (echo || connection.topics.has(topic.name)) {
        room.alone.add(subscription)
        return
      }
      connection.topics.add(topic.name)
      connection.socket.subscribe(topic.name)
      topic.count++
      subscription.topic = topic.name
    },

    exit,

    tell(room, item, text) {
      let told = 0
      for (const subscription of room.alone) {
        if (subscription.item !== undefined && subscription.item !== item) continue
        told++
        send(subscription, subscription.echo ? withSubscription(text, subscription.subscriptionId) : text)
      }
      told += tellTopic(room.all, text)
      const topic = item === null ? undefined : room.items.get(item)
      return topic === undefined ? told : told + tellTopic(topic, text)
    },

    published: subscription => topicOf(subscription).published,
  }
}

/** Connections with a live subscription in a room. */
export function connectionsIn(room: Room): Set<Connection> {
  const found = new Set<Connection>()
  for (const { connection, state } of room.subscriptions) if (state === 'live') found.add(connection)
  return found
}
