/** The log of a thread whose lines are written by the main thread. */
import { type Log, type LogFields, type LogLevel, logLevels } from '../log/log.ts'
import { limits } from '../protocol/limits.ts'
import type { FromShard } from './shardTask.ts'

export interface RemoteLogParts {
  /** Hands a line to the main thread. Throws what it cannot hand over. */
  readonly post: (line: FromShard) => void
  /** Lines below this level would be dropped there. */
  readonly level: LogLevel
  /** One number that both threads share: lines that are on their way. The main thread takes off what has come. */
  readonly underWay: Int32Array
}

type Spoken = Exclude<LogLevel, 'silent'>

export function createRemoteLog({ post, level, underWay }: RemoteLogParts): Log {
  const lowest = logLevels.indexOf(level)
  let leftOut = 0

  function give(spoken: Spoken, message: string, fields: LogFields | undefined): void {
    const line = { say: 'log', level: spoken, message } as const
    try {
      post({ ...line, fields: fields && plain(fields) })
    } catch {
      post({ ...line, fields: cloneable(fields) })
    }
    Atomics.add(underWay, 0, 1)
  }

  const at = (spoken: Spoken): Log[Spoken] => {
    if (logLevels.indexOf(spoken) < lowest) return () => {}
    return (message, fields) => {
      if (Atomics.load(underWay, 0) >= limits.shardLogLines) {
        leftOut++
        return
      }
      if (leftOut > 0) {
        const count = leftOut
        leftOut = 0
        give('warn', 'log lines were left out: there were more than could be written', { count })
      }
      give(spoken, message, fields)
    }
  }
  return { level, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** Errors lose their stack on the way between threads, and functions cannot go at all. */
function plain(fields: LogFields): LogFields {
  const entries = Object.entries(fields).map(([name, value]) => [
    name,
    value instanceof Error ? (value.stack ?? value.message) : typeof value === 'function' ? '…' : value,
  ])
  return Object.fromEntries(entries)
}

const DEEPEST = 6

/** What is left of fields with something deep inside that cannot go. */
function cloneable(fields: LogFields | undefined): LogFields {
  try {
    return cloneableValue(fields, 0) as LogFields
  } catch {
    // Whatever has thrown here: a line must not be the end of its thread.
    return { fields: '…' }
  }
}

function cloneableValue(value: unknown, depth: number): unknown {
  if (typeof value === 'function' || typeof value === 'symbol' || depth > DEEPEST) return '…'
  if (value instanceof Error) return value.stack ?? value.message
  if (Array.isArray(value)) return value.map(item => cloneableValue(item, depth + 1))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, cloneableValue(item, depth + 1)]),
  )
}
