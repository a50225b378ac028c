/**
 * An engine of several threads on one: the main one with the directory and some shards, joined by real rings. Whatever
 * is said to it has arrived everywhere when the call returns, as on an engine of one thread, so that the same tests fit
 * both. Workers are spread over the shards in turn; built-ins stand on the main thread.
 */
import type { Clock } from '../../src/clock/clock.ts'
import type { Connection } from '../../src/engine/connection.ts'
import type { Connected, Engine, EngineOptions, HostEngine } from '../../src/engine/engine.ts'
import { MAIN } from '../../src/engine/registry.ts'
import type { EngineCounters } from '../../src/engine/state.ts'
import type { LinkReceiver } from '../../src/protocol/link.ts'
import { joinThreads } from './joinedThreads.ts'

/** Virtual memory that is touched as it is used. */
const RING_BYTES = 2 ** 26

/** Rings look by themselves from time to time; here everything is looked at all the time. */
const noTime: Clock = { now: () => 0, after: () => () => {} }

export interface ShardedEngine extends HostEngine {
  /** What is said in the task comes in one turn: nothing of it is carried out anywhere before all of it has come. */
  inOneTurn(task: () => void): void
}

export function createShardedEngine(options: EngineOptions, shards: number): ShardedEngine {
  let tasks: (() => void)[] = []
  let pumping = false

  /** Lets everything arrive that is under way. */
  function pump(): void {
    if (pumping) return
    pumping = true
    try {
      // What leaves in one round arrives in the next.
      for (let idle = 0; idle < 2; ) idle = pumpOnce() ? 0 : idle + 1
    } finally {
      pumping = false
    }
  }

  /** True if something has arrived. */
  function pumpOnce(): boolean {
    arrivals = 0
    const due = tasks
    tasks = []
    for (const task of due) task()
    for (const { turn, links } of parts) {
      turn.end()
      for (const link of links.values()) link.catchUp()
    }
    return arrivals > 0 || tasks.length > 0
  }

  let arrivals = 0
  const later = (task: () => void): void => void tasks.push(task)
  /** Due tasks are turns of their own. */
  const clock: Clock = {
    now: options.clock.now,
    after: (ms, task) =>
      options.clock.after(ms, () => {
        task()
        pump()
      }),
  }
  const { main, members, parts } = joinThreads({
    engine: { ...options, clock },
    shards,
    ringBytes: RING_BYTES,
    ringClock: noTime,
    later,
    came: () => void arrivals++,
  })
  pump()

  /** What comes over a link, and everything that follows from it. */
  function pumped(receiver: LinkReceiver): LinkReceiver {
    const followed =
      <Words extends unknown[]>(tell: (...words: Words) => void) =>
      (...words: Words): void => {
        tell(...words)
        pump()
      }
    return Object.fromEntries(
      Object.entries(receiver).map(([name, tell]) => [name, followed(tell)]),
    ) as unknown as LinkReceiver
  }

  let connected = 0
  function connect(...[link, origin]: Parameters<Engine['connect']>): Connected {
    const place = origin.builtIn ? MAIN : 1 + (connected++ % shards)
    const { workerId, receiver } = parts[place]!.engine.connect(link, origin)
    pump()
    return { workerId, receiver: pumped(receiver) }
  }

  const states = (): Engine['state'][] => parts.map(({ engine }) => engine.state)
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

  /** Calls that are in flight on two threads. */
  const crossing = (): number =>
    sum(states().flatMap(({ trunks }) => [...trunks.values()].map(trunk => trunk.callsInFlight)))

  // What the state of the whole is.
  const state = Object.create(main.state) as HostEngine['state']
  Object.defineProperties(state, {
    connections: {
      get: () => new Map<string, Connection>(states().flatMap(({ connections }) => [...connections])),
    },
    counters: {
      get() {
        const total = { ...main.state.counters }
        for (const name of Object.keys(total) as (keyof EngineCounters)[])
          total[name] = sum(states().map(({ counters }) => counters[name]))
        return total
      },
    },
    deadlines: {
      // A call that crosses threads has one on each.
      get: () => ({
        ...main.state.deadlines,
        size: () => sum(states().map(({ deadlines }) => deadlines.size())) - crossing(),
      }),
    },
    registry: {
      value: {
        submit(...words: Parameters<HostEngine['state']['registry']['submit']>) {
          main.state.registry.submit(...words)
          pump()
        },
      },
    },
    carryOut: {
      value(changes: Parameters<HostEngine['state']['carryOut']>[0]) {
        main.state.carryOut(changes)
        pump()
      },
    },
  })

  return {
    state,
    inOneTurn(task) {
      pumping = true
      try {
        task()
      } finally {
        pumping = false
      }
      pump()
    },
    connect,
    connectTrunk: main.connectTrunk,
    disconnectTrunk: main.disconnectTrunk,
    callsInFlight: () => sum(parts.map(({ engine }) => engine.callsInFlight())) - crossing(),
    unsentBytes: () => sum(parts.map(({ engine }) => engine.unsentBytes())),
    drain() {
      for (const { engine } of parts) engine.drain()
    },
    stop() {
      for (const { place, engine } of parts) {
        engine.stop()
        if (place !== MAIN) members.dismiss(members.remove(place))
      }
      pump()
    },
  }
}
