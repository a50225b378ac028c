/** A log that writes one line per message: readable ones for people, JSON for programs. */

import { cleanJson, cleanText } from './clean.ts'
import { type Log, type LogFields, type LogLevel, logLevels } from './log.ts'
import { redact, redactText } from './redact.ts'

export type LogFormat = 'human' | 'json'

export interface LogOptions {
  /** Takes one complete line, its newline included. */
  readonly write: (line: string) => void
  /** Lines below this level are dropped. */
  readonly level: LogLevel
  /** Read at the first line, and so are the colours: what they depend on may be costly to find out. */
  readonly format: LogFormat
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Colours in human lines; leave off unless a terminal shows them. */
  readonly colours?: boolean
}

type Spoken = Exclude<LogLevel, 'silent'>

export function createLog(options: LogOptions): Log {
  const { write, level, now } = options
  const lowest = logLevels.indexOf(level)
  let chosen: typeof jsonLine | undefined
  function line(...parts: Parameters<typeof jsonLine>): string {
    chosen ??= options.format === 'json' ? jsonLine : humanLine(options.colours === true)
    return chosen(...parts)
  }
  const at = (spoken: Spoken): Log[Spoken] => {
    if (logLevels.indexOf(spoken) < lowest) return () => {}
    return (message, fields) => write(line(now(), spoken, message, fields))
  }
  return { level, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

function jsonLine(time: number, level: Spoken, message: string, fields: LogFields = {}): string {
  const head = { time: new Date(time).toISOString(), level, message: redactText(message) }
  // A field may not pose as the line's own time, level or message.
  const rest = Object.entries(redact(fields) as object).map(([key, value]) => [
    key in head ? `${key}_` : key,
    value,
  ])
  return `${cleanJson(JSON.stringify({ ...head, ...Object.fromEntries(rest) }))}\n`
}

const COLOURS: Readonly<Record<Spoken, string>> = {
  debug: '\x1b[90m',
  info: '\x1b[36m',
  warn: '\x1b[33m',
  error: '\x1b[31m',
}
const DIM = '\x1b[2m'
const PLAIN = '\x1b[0m'

/** `10:22:49.120 WARN  slow consumer cut  worker=orders backlog=4194304` */
function humanLine(colours: boolean) {
  const paint = (colour: string, text: string): string =>
    colours && text !== '' ? colour + text + PLAIN : text
  return (time: number, level: Spoken, message: string, fields: LogFields = {}): string => {
    const clock = new Date(time).toTimeString().slice(0, 8)
    const millis = String(time % 1000).padStart(3, '0')
    const { short, stacks } = splitStacks(redact(fields) as LogFields)
    const head = `${paint(DIM, `${clock}.${millis}`)} ${paint(COLOURS[level], level.toUpperCase().padEnd(5))}`
    const tail = Object.entries(short).map(
      ([key, value]) => paint(DIM, `${cleanText(key)}=`) + humanValue(value),
    )
    const text = cleanText(redactText(message))
    return `${[`${head} ${text}`, tail.join(' ')].filter(part => part !== '').join('  ')}\n${stacks}`
  }
}

/** Stack traces go below the line; within it they would be unreadable. */
function splitStacks(fields: LogFields): { short: LogFields; stacks: string } {
  let stacks = ''
  const short: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(fields)) {
    const isError = typeof value === 'object' && value !== null && 'stack' in value && 'message' in value
    short[key] = isError ? value.message : value
    if (!isError || typeof value.stack !== 'string') continue
    for (const frame of value.stack.split('\n')) stacks += `    ${cleanText(frame)}\n`
  }
  return { short, stacks }
}

function humanValue(value: unknown): string {
  if (value === undefined) return '-'
  if (typeof value !== 'string') return cleanText(JSON.stringify(value))
  return /^[^\s"=]+$/.test(value) ? cleanText(value) : cleanText(JSON.stringify(value))
}
