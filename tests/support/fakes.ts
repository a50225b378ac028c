/** Stand-ins for what the engine takes from outside: time, links, ids, the log. */
import type { Clock } from '../../src/clock/clock.ts'
import type { Log, LogFields } from '../../src/log/log.ts'
import type { Frame } from '../../src/protocol/frames.ts'
import type { Link, LinkEnd } from '../../src/protocol/link.ts'
import { createRandom } from './random.ts'

/** A clock that stands still until it is told otherwise. */
export interface VirtualClock extends Clock {
  /** Lets `ms` pass and runs, in order of their time, the tasks that fall due. */
  advance(ms: number): void
  /** Tasks that have not run and were not cancelled. */
  pending(): number
}

/** Its times are no whole milliseconds, and neither are those of the real one. */
export function createVirtualClock(startMs = Date.UTC(2026, 0, 1) + 0.25): VirtualClock {
  let time = startMs
  let nextId = 0
  const tasks = new Map<number, { readonly dueMs: number; readonly task: () => void }>()

  /** The task that is due first; of several at one moment the one that was set first. */
  function firstDue(untilMs: number): number | undefined {
    let found: number | undefined
    for (const [id, { dueMs }] of tasks) {
      if (dueMs <= untilMs && (found === undefined || dueMs < tasks.get(found)!.dueMs)) found = id
    }
    return found
  }

  return {
    now: () => time,
    after(ms, task) {
      const id = nextId++
      tasks.set(id, { dueMs: time + Math.max(0, ms), task })
      return () => void tasks.delete(id)
    },
    advance(ms) {
      const until = time + ms
      for (let id = firstDue(until); id !== undefined; id = firstDue(until)) {
        const { dueMs, task } = tasks.get(id)!
        tasks.delete(id)
        time = Math.max(time, dueMs)
        task()
      }
      time = until
    },
    pending: () => tasks.size,
  }
}

/** Keeps what the engine sends to one worker. */
export interface RecordingLink extends Link {
  /** Takes out everything that was sent since the last look. */
  take(): Frame[]
  /** What `backlog` reports: a worker that does not read. */
  unreadBytes: number
  readonly isPaused: boolean
  /** How the engine has ended the link; `undefined` while it stands. */
  readonly ended: LinkEnd | undefined
}

export function createRecordingLink(): RecordingLink {
  let sent: Frame[] = []
  let isPaused = false
  let end: LinkEnd | undefined
  return {
    framing: 'json',
    batch: undefined,
    unreadBytes: 0,
    send(frame) {
      // A copy: the engine may go on using the object.
      if (end === undefined) sent.push({ ...frame })
    },
    backlog() {
      return this.unreadBytes
    },
    pause() {
      isPaused = true
    },
    resume() {
      isPaused = false
    },
    end(how) {
      end ??= how
    },
    take() {
      const frames = sent
      sent = []
      return frames
    },
    get isPaused() {
      return isPaused
    },
    get ended() {
      return end
    },
  }
}

/** UUIDs of version 4 shape, the same ones for the same seed. */
export function createSeededIds(seed = 1): () => string {
  const random = createRandom(seed)
  const digits = (count: number): string =>
    Array.from({ length: count }, () => random.between(0, 16).toString(16)).join('')
  return () => `${digits(8)}-${digits(4)}-4${digits(3)}-a${digits(3)}-${digits(12)}`
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: LogFields
}

export interface RecordingLog extends Log {
  readonly lines: LogLine[]
  /** Messages of lines at `warn` and above. */
  warnings(): string[]
}

export function createRecordingLog(): RecordingLog {
  const lines: LogLine[] = []
  const at =
    (level: LogLine['level']) =>
    (message: string, fields: LogFields = {}): void =>
      void lines.push({ level, message, fields })
  return {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    warnings: () =>
      lines.filter(({ level }) => level === 'warn' || level === 'error').map(({ message }) => message),
  }
}
