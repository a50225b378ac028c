/**
 * Follows a group of a stream from a browser page, also through lost connections. It needs nothing but a WebSocket: copy
 * it. What the messages mean stands in `docs/streams.md`.
 *
 *   connect ──▶ join, with `since` once something was heard ──▶ sync │ what was missed ──▶ changes
 *      ▲                                                                                     │ connection lost
 *      └──────────── after 0.25, 0.5, 1, … 10 s, each up to 30 % more or less ◀──────────────┘
 */

/** A message of the engine, as far as it matters here. */
export interface StreamMessage {
  readonly id: string | null
  readonly seq: number
  readonly event: { readonly type: string; readonly data?: unknown; readonly reason?: string }
}

export interface FollowOptions {
  /** Of the engine's clients of streams: `ws://127.0.0.1:3112`. */
  readonly url: string
  readonly streamName: string
  readonly groupId: string
  /** Given all items by id, in the order in which they were created, whenever one has changed. */
  changed(items: ReadonlyMap<string, unknown>): void
  /** Told when a connection stands, and when it is lost or the first one cannot be made; not of each attempt. */
  connected?(isConnected: boolean): void
  /** Given every message, after `changed`. */
  heard?(message: StreamMessage): void
  /** The engine does not let this client in; it is not asked again. */
  refused?(reason: string): void
}

const FIRST_DELAY_MS = 250
const LONGEST_DELAY_MS = 10_000
const JITTER = 0.3

/** Begins at once; returns how to end it. */
export function followGroup(options: FollowOptions): () => void {
  const { url, streamName, groupId, changed } = options
  const items = new Map<string, unknown>()
  let socket: WebSocket | undefined
  let retry: ReturnType<typeof setTimeout> | undefined
  /** Number of the last message: with it the engine tells what was missed, without it everything. */
  let seq: number | undefined
  let attempts = 0
  let isOver = false
  let isConnected: boolean | undefined

  function tellConnected(now: boolean): void {
    if (now === isConnected) return
    isConnected = now
    options.connected?.(now)
  }

  function join(to: WebSocket): void {
    const since = seq === undefined ? {} : { since: seq }
    const data = { subscriptionId: 'all', streamName, groupId, withIds: true, ...since }
    to.send(JSON.stringify({ type: 'join', data }))
  }

  function replaceAll(data: unknown): void {
    items.clear()
    for (const item of data as { id: string; data: unknown }[]) items.set(item.id, item.data)
    changed(items)
  }

  function receive(from: WebSocket, message: StreamMessage): void {
    attempts = 0
    seq = message.seq
    const { id, event } = message
    if (event.type === 'sync') replaceAll(event.data)
    else if (event.type === 'create' || event.type === 'update') {
      items.set(id!, event.data)
      changed(items)
    } else if (event.type === 'delete') {
      items.delete(id!)
      changed(items)
    } else if (event.type === 'lost') {
      // This page was too slow, and messages were dropped: everything anew.
      seq = undefined
      join(from)
    } else if (event.type === 'unauthorized') {
      options.refused?.(event.reason ?? 'the engine has refused the subscription')
      end()
    }
    options.heard?.(message)
  }

  function connect(): void {
    const current = new WebSocket(url)
    socket = current
    current.onopen = () => {
      join(current)
      tellConnected(true)
    }
    current.onmessage = ({ data }) => {
      if (!isOver) receive(current, JSON.parse(String(data)) as StreamMessage)
    }
    // Comes after every error, too.
    current.onclose = () => {
      tellConnected(false)
      if (isOver) return
      const delay = Math.min(FIRST_DELAY_MS * 2 ** attempts++, LONGEST_DELAY_MS)
      retry = setTimeout(connect, delay * (1 + JITTER * (2 * Math.random() - 1)))
    }
  }

  function end(): void {
    isOver = true
    clearTimeout(retry)
    socket?.close()
  }

  connect()
  return end
}
