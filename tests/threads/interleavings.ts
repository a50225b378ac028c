/**
 * Runs two programs over a model of shared memory in every order their steps can happen in.
 *
 * A step is one access to the memory. A program is an ordinary function; to stop it after a step it is run again
 * from its beginning with the results of its earlier steps, and stopped by an exception at the first new one. Two
 * ways that gave both programs the same results lead to one state, from which it is gone on once.
 *
 * A program that runs longer forgets: at a `checkpoint` it promises that what it does next follows from the label
 * and from the last two values it loaded or stored of each control word, so that the rest of its past does not count.
 *
 * `rules` say what the memory promises:
 *  - `sequential`: all steps have one order. Two accesses to the data area that are not ordered by a store and a load
 *    of HEAD or TAIL are reported as a race. Without races it makes no difference when exactly the data area is
 *    accessed, so only accesses of control words count as steps.
 *  - `delayed`: a store may take effect after later loads of its thread, as on a machine without fences.
 *  - `unordered`: stores may also overtake each other.
 */
import {
  type Bell,
  HEAD,
  READER_BELL,
  type RingMemory,
  TAIL,
  WRITER_BELL,
} from '../../src/threads/ringMemory.ts'

export type Rules = 'sequential' | 'delayed' | 'unordered'

export interface ModelMemory extends RingMemory {
  /** Waits as `wait` does, and goes on after `notify`. */
  sleep(bell: Bell, value: number): void
  checkpoint(label: string): void
}

export type Program = (memory: ModelMemory) => void

export interface Exploration {
  states: number
  /** Ways on which both programs came to their end; zero means that nothing was proved. */
  ends: number
  /** What went wrong, each once. */
  failures: string[]
  /** The steps that led to the first failure. */
  trace: string[]
}

/** Thrown by a program when it saw something wrong. */
export class Violation extends Error {}

const CONTROL = [HEAD, TAIL, READER_BELL, WRITER_BELL] as const
const NAMES = ['HEAD', 'TAIL', 'READER_BELL', 'WRITER_BELL']
/** Cells of the model: the control words, then the words of the data area. */
const cellOf = (word: number): number => CONTROL.indexOf(word as (typeof CONTROL)[number])
const DATA = CONTROL.length

interface ThreadState {
  /** What each step gave. */
  log: number[]
  /** Where it was at its last checkpoint, and how long the log was. */
  label: string
  labelAt: number
  /** By control cell: the last two values it loaded or stored. */
  recent: Int32Array
  /** Cell of the bell it sleeps on, or -1. */
  asleepOn: number
  /** Stores that have not taken effect, oldest first: cell, value, cell, value… */
  buffer: number[]
  /** Steps of the other thread that are known to have happened before. */
  knows: number
  done: boolean
}

interface State {
  cells: Int32Array
  threads: [ThreadState, ThreadState]
  /** By cell: the step at which HEAD or TAIL was last stored, by its only writer. */
  storedAt: Int32Array
  /** By cell × thread: the step of the last write and the last read. */
  writtenAt: Int32Array
  readAt: Int32Array
}

const STOP = Symbol('stop')

export function explore(
  options: { capacity: number; start: number; rules: Rules },
  programs: readonly [Program, Program],
): Exploration {
  const { capacity, start, rules } = options
  const dataIsFree = rules === 'sequential'
  const cellCount = DATA + capacity / 4
  const seen = new Set<bigint>()
  const trace: string[] = []
  const result: Exploration = { states: 0, ends: 0, failures: [], trace: [] }

  /** The state that a program acts on while it makes its next step. */
  let state: State
  let current = 0
  let replayed = 0
  let stepped = false
  let stopped = false

  /** Makes one step, gives the result of an earlier one, or stops the program. A free access is no step of its own. */
  function step(describe: () => string, act: (own: ThreadState) => number, isFree = false): number {
    const own = state.threads[current]!
    if (stopped) throw STOP
    if (replayed < own.log.length) return own.log[replayed++]!
    if (stepped && !isFree) {
      stopped = true
      throw STOP
    }
    stepped ||= !isFree
    const value = act(own)
    own.log.push(value)
    replayed++
    trace.push(`${current === 0 ? 'writer' : 'reader'}: ${describe()} → ${value}`)
    return value
  }

  function read(own: ThreadState, cell: number): number {
    for (let at = own.buffer.length - 2; at >= 0; at -= 2)
      if (own.buffer[at] === cell) return own.buffer[at + 1]!
    return state.cells[cell]!
  }

  function write(own: ThreadState, cell: number, value: number): void {
    if (rules === 'sequential') state.cells[cell] = value
    else own.buffer.push(cell, value)
  }

  function flushAll(own: ThreadState): void {
    for (let at = 0; at < own.buffer.length; at += 2) state.cells[own.buffer[at]!] = own.buffer[at + 1]!
    own.buffer = []
  }

  function remember(own: ThreadState, cell: number, value: number): number {
    own.recent[2 * cell + 1] = own.recent[2 * cell]!
    own.recent[2 * cell] = value
    return value
  }

  function touch(own: ThreadState, cell: number, writes: boolean): void {
    if (rules !== 'sequential') return
    const other = 1 - current
    const now = own.log.length + 1
    if (state.writtenAt[2 * cell + other]! > own.knows)
      throw new Violation(`race: byte ${4 * (cell - DATA)} is used while the other side writes it`)
    if (writes && state.readAt[2 * cell + other]! > own.knows)
      throw new Violation(`race: byte ${4 * (cell - DATA)} is written while the other side reads it`)
    const at = writes ? state.writtenAt : state.readAt
    at[2 * cell + current] = now
  }

  function getData(own: ThreadState, at: number): number {
    touch(own, DATA + at / 4, false)
    return read(own, DATA + at / 4)
  }

  function setData(own: ThreadState, at: number, value: number): void {
    touch(own, DATA + at / 4, true)
    write(own, DATA + at / 4, value)
  }

  const memory: ModelMemory = {
    capacity,
    bytes: new Uint8Array(0),
    load: word =>
      step(
        () => `load ${NAMES[cellOf(word)]}`,
        own => {
          const cell = cellOf(word)
          // Only HEAD and TAIL have one writer each, so that a value tells which store it comes from.
          if (word === HEAD || word === TAIL)
            own.knows = Math.max(own.knows, state.storedAt[2 * cell + 1 - current]!)
          return remember(own, cell, read(own, cell))
        },
      ),
    store: (word, value) =>
      void step(
        () => `store ${NAMES[cellOf(word)]} = ${value}`,
        own => {
          state.storedAt[2 * cellOf(word) + current] = own.log.length + 1
          write(own, cellOf(word), value)
          return remember(own, cellOf(word), value)
        },
      ),
    getWord: at =>
      step(
        () => `read byte ${at}`,
        own => getData(own, at),
        dataIsFree,
      ),
    setWord: (at, value) =>
      void step(
        () => `write byte ${at}`,
        own => {
          setData(own, at, value)
          return value
        },
        dataIsFree,
      ),
    // Two steps, so that a copy can be met half done.
    copyIn(source, from, to, at) {
      const words = new Int32Array(source.slice(from, to).buffer)
      const half = words.length >> 1
      for (const [first, last] of [
        [0, half],
        [half, words.length],
      ] as const) {
        step(
          () => `copy in bytes ${at + 4 * first}…${at + 4 * last}`,
          own => {
            for (let i = first; i < last; i++) setData(own, at + 4 * i, words[i]!)
            return 0
          },
          dataIsFree,
        )
      }
    },
    copyOut(at, length, target, to) {
      const words = new Int32Array(target.buffer)
      for (let i = 0; i < length / 4; i++) words[to / 4 + i] = memory.getWord(at + 4 * i)
    },
    notify: bell =>
      void step(
        () => `notify ${NAMES[cellOf(bell)]}`,
        own => {
          flushAll(own)
          const other = state.threads[1 - current]!
          const wakes = other.asleepOn === cellOf(bell)
          if (wakes) other.asleepOn = -1
          return wakes ? 1 : 0
        },
      ),
    wait: () => {
      throw new Error('a program of the model sleeps by `sleep`')
    },
    sleep: (bell, value) =>
      void step(
        () => `sleep on ${NAMES[cellOf(bell)]}`,
        own => {
          flushAll(own)
          const holds = state.cells[cellOf(bell)] === value
          if (holds) own.asleepOn = cellOf(bell)
          return holds ? 1 : 0
        },
      ),
    checkpoint(label) {
      const own = state.threads[current]!
      if (replayed < own.log.length) return
      own.label = label
      own.labelAt = replayed
    },
    pause() {},
  }

  /** Lets one thread make one step in `state`. */
  function advance(thread: number): void {
    current = thread
    replayed = 0
    stepped = false
    stopped = false
    try {
      programs[thread]!(memory)
      state.threads[thread]!.done = true
    } catch (problem) {
      if (problem !== STOP) throw problem
    }
  }

  function isNew(): boolean {
    const key = state.threads.map(
      ({ label, labelAt, recent, log, asleepOn, buffer, done }) =>
        `${label};${recent};${log.slice(labelAt)};${asleepOn};${buffer};${done}`,
    )
    const hash = Bun.hash(`${key.join('|')}|${state.cells}`) as bigint
    if (seen.has(hash)) return false
    seen.add(hash)
    return true
  }

  /** The stores of a thread that may take effect next. */
  function flushable({ buffer }: ThreadState): number[] {
    if (rules === 'delayed') return buffer.length > 0 ? [0] : []
    const cells = new Set<number>()
    const places: number[] = []
    for (let at = 0; at < buffer.length; at += 2) {
      if (!cells.has(buffer[at]!)) places.push(at)
      cells.add(buffer[at]!)
    }
    return places
  }

  function visit(from: State): void {
    let moved = false
    for (const thread of [0, 1]) {
      const own = from.threads[thread]!
      for (const at of flushable(own)) {
        moved = true
        go(from, () => {
          const { buffer } = state.threads[thread]!
          const [cell, value] = buffer.splice(at, 2) as [number, number]
          state.cells[cell] = value
          trace.push(`${thread === 0 ? 'writer' : 'reader'}: a store of cell ${cell} takes effect`)
        })
      }
      if (own.done || own.asleepOn >= 0) continue
      moved = true
      go(from, () => advance(thread))
    }
    if (moved) return
    if (from.threads.every(({ done }) => done)) result.ends++
    else
      fail(
        `stuck: ${from.threads.map(({ done }, i) => `${i === 0 ? 'writer' : 'reader'} ${done ? 'done' : 'asleep'}`).join(', ')}`,
      )
  }

  function fail(message: string): void {
    if (result.failures.length === 0) result.trace = [...trace]
    if (!result.failures.includes(message)) result.failures.push(message)
  }

  function go(from: State, act: () => void): void {
    const length = trace.length
    state = copyOf(from)
    try {
      act()
      if (isNew()) {
        result.states++
        visit(state)
      }
    } catch (problem) {
      if (!(problem instanceof Violation)) throw problem
      fail(problem.message)
    }
    trace.length = length
  }

  const first: State = {
    cells: new Int32Array(cellCount),
    threads: [newThread(), newThread()],
    storedAt: new Int32Array(2 * cellCount),
    writtenAt: new Int32Array(2 * cellCount),
    readAt: new Int32Array(2 * cellCount),
  }
  first.cells[cellOf(HEAD)] = start
  first.cells[cellOf(TAIL)] = start
  visit(first)
  return result
}

const newThread = (): ThreadState => ({
  log: [],
  label: '',
  labelAt: 0,
  recent: new Int32Array(2 * DATA),
  asleepOn: -1,
  buffer: [],
  knows: 0,
  done: false,
})

function copyOf({ cells, threads: [left, right], storedAt, writtenAt, readAt }: State): State {
  const copy = (thread: ThreadState): ThreadState => ({
    ...thread,
    log: [...thread.log],
    buffer: [...thread.buffer],
    recent: thread.recent.slice(),
  })
  return {
    cells: cells.slice(),
    threads: [copy(left), copy(right)],
    storedAt: storedAt.slice(),
    writtenAt: writtenAt.slice(),
    readAt: readAt.slice(),
  }
}
