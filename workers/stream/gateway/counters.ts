/** What an instance of the gateway counts. */
export interface Counters {
  connected: number
  /** By the auth function, or because of its origin. */
  refused: number
  /** Because of a limit. */
  turnedAway: number
  joined: number
  unauthorized: number
  /** Events, and copies of them for subscriptions. */
  events: number
  deliveries: number
  syncs: number
  /** Clients that became slow, and what became of them. */
  slow: number
  resynced: number
  /** Messages left out, policy `drop`. */
  lost: number
  cut: number
  /** Events that did not come from the store half. */
  gaps: number
  /** Messages of clients that could not be read. */
  unreadable: number
  /** Clients that were not read for a moment, because they sent too much. */
  paused: number
}

export function createCounters(): Counters {
  return {
    connected: 0,
    refused: 0,
    turnedAway: 0,
    joined: 0,
    unauthorized: 0,
    events: 0,
    deliveries: 0,
    syncs: 0,
    slow: 0,
    resynced: 0,
    lost: 0,
    cut: 0,
    gaps: 0,
    unreadable: 0,
    paused: 0,
  }
}
