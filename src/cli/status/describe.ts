/** The status of an engine as people read it. Pure; what comes from an engine of another version may lack anything. */
import { cleanText } from '../../log/clean.ts'
import { isPlainObject } from '../exactJson.ts'
import { duration, listIn, memberOf, numberIn, orUnknown, textIn } from '../reading.ts'
import { type Row, table } from '../table.ts'

/** `512 B`, `3.4 KiB`, `97 MiB` */
export function byteSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB']
  let size = bytes
  let unit = 0
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024
    unit++
  }
  return `${unit === 0 || size >= 10 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`
}

/** Names and counts of what is not zero; undefined: all are. */
function notZero(counters: unknown): string | undefined {
  if (!isPlainObject(counters)) return undefined
  const parts = Object.entries(counters).filter(([, count]) => typeof count === 'number' && count > 0)
  return parts.length === 0
    ? undefined
    : parts.map(([name, count]) => `${cleanText(name)} ${count}`).join(', ')
}

/** `1 worker`, `2 workers` */
function counted(status: unknown, member: string, one: string, many: string): string {
  const count = numberIn(status, member)
  return `${orUnknown(count, String)} ${count === 1 ? one : many}`
}

const COLUMNS: Row = ['THREAD', 'STATE', 'CPU', 'CORE', 'HEAP', 'CONNECTIONS', 'CALLS', 'RESYNCS', 'RESTARTS']

function threadRow(thread: unknown): Row {
  const count = (name: string): string => orUnknown(numberIn(thread, name), String)
  return [
    textIn(thread, 'name'),
    textIn(thread, 'state'),
    orUnknown(numberIn(thread, 'cpu_seconds'), seconds => `${seconds.toFixed(2)} s`),
    orUnknown(numberIn(thread, 'cpu_share'), share => `${Math.round(share * 100)} %`),
    orUnknown(numberIn(thread, 'heap_bytes'), byteSize),
    count('connections'),
    count('calls_in_flight'),
    count('resyncs'),
    count('restarts'),
  ]
}

/** Rings are worth a line only where something waits or was missed. */
function ringLines(threads: readonly unknown[]): string[] {
  return threads.flatMap(thread =>
    listIn(thread, 'rings').flatMap(ring => {
      const parked = numberIn(ring, 'parked_bytes') ?? 0
      const missed = numberIn(ring, 'missed_wake_ups') ?? 0
      if (parked === 0 && missed === 0) return []
      const way = `${textIn(thread, 'name')} to ${textIn(ring, 'to')}`
      return [`ring ${way}: ${byteSize(parked)} parked, ${missed} missed wake-ups`]
    }),
  )
}

/** A word where all is well, and of each folder where it is not why. */
function storageLines(folders: readonly unknown[]): string[] {
  const ill = folders.filter(folder => memberOf(folder, 'health') !== 'ok')
  if (folders.length > 0 && ill.length === 0) return ['storage: ok']
  return ill.map(
    folder =>
      `storage: ${textIn(folder, 'health')}, ${textIn(folder, 'reason')} (${textIn(folder, 'folder')})`,
  )
}

/** Several lines, the last newline included. */
export function describeStatus(status: unknown): string {
  const memory = memberOf(status, 'memory')
  const threads = listIn(status, 'threads')
  const draining = memberOf(status, 'draining') === true ? ', draining' : ''
  const head = [
    `iii ${textIn(status, 'version')}, process ${textIn(status, 'pid')}`,
    `up ${orUnknown(numberIn(status, 'uptime_ms'), duration)}`,
    `${textIn(status, 'mode')}${draining}`,
    `${orUnknown(numberIn(memory, 'rss_bytes'), byteSize)} of memory`,
  ]
  const things = [
    ...['worker', 'function', 'trigger', 'connection'].map(one => counted(status, `${one}s`, one, `${one}s`)),
    counted(status, 'calls_in_flight', 'call in flight', 'calls in flight'),
  ]
  const lines = [
    head.join(', '),
    things.join(', '),
    `counted: ${notZero(memberOf(status, 'counters')) ?? 'nothing'}`,
    `dropped: ${notZero(memberOf(status, 'dropped')) ?? 'nothing'}`,
    ...storageLines(listIn(status, 'storage')),
    '',
    ...table([COLUMNS, ...threads.map(threadRow)], { right: 2 }),
    ...ringLines(threads),
  ]
  return `${lines.join('\n')}\n`
}
