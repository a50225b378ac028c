/**
 * Cron expressions: text in, moments of a calendar out. The calendar has no zone: its moments are wall times, written as
 * milliseconds as if they were UTC. `plan.ts` turns them into instants.
 *
 * Croner reads the expression and finds days; the time of day is looked up in its tables here: asking it for every moment takes
 * fifty times as long, and what it has read takes 80 kB, which is why schedules share it.
 */
import { Cron, CronPattern } from 'croner'
import { limits } from '../../src/protocol/limits.ts'

export interface Expression {
  /** Trimmed, with single spaces. */
  readonly text: string
  /** Its hours are all hours: it goes by what has elapsed, not by the time of day (`docs/cron.md#summer-time`). */
  readonly isEveryHour: boolean
  /** The first moment after `wallMs`; `undefined`: there is none any more. */
  next(wallMs: number): number | undefined
}

const FIELDS = ['second', 'minute', 'hour', 'day of month', 'month', 'day of week', 'year'] as const
const SHORTHANDS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}
const DAY_MS = 86_400_000

type Days = (ms: number) => number | undefined

const expressions = createCache(1000, read)
const dayFinders = createCache(200, findDays)

/** Throws an `Error` whose message names the expression and the field that is wrong. */
export function parseExpression(given: string): Expression {
  return expressions(given.trim().split(/\s+/).join(' '))
}

function read(text: string): Expression {
  const parts = partsOf(text)
  const pattern = readPattern(text, parts)
  const hours = placesOf(pattern.hour)
  const times = { hours, minutes: placesOf(pattern.minute), seconds: placesOf(pattern.second) }
  const dayText = parts.slice(parts.length === 5 ? 2 : 3).join(' ')
  const isEveryDay = /^[*?] \* [*?]( \*)?$/.test(dayText)
  /** One that was found: all of its times can be looked up. */
  let knownDay: number | undefined

  function dayAfter(ms: number): number | undefined {
    if (isEveryDay) return (Math.floor(ms / DAY_MS) + 1) * DAY_MS
    return dayFinders(dayText)(ms)
  }

  function isDay(day: number): boolean {
    if (isEveryDay || day === knownDay) return true
    if (dayAfter(day - 1000) !== day) return false
    knownDay = day
    return true
  }

  return {
    text,
    isEveryHour: hours.length === 24,
    next(wallMs) {
      const day = Math.floor(wallMs / DAY_MS) * DAY_MS
      const time = isDay(day) ? timeAfter(times, Math.floor((wallMs - day) / 1000)) : undefined
      if (time !== undefined) return day + time * 1000
      const next = dayAfter(day + DAY_MS - 1000)
      if (next === undefined) return undefined
      knownDay = next
      return next + timeAfter(times, -1)! * 1000
    },
  }
}

/** The first moments of the days of an expression without its times. */
function findDays(dayText: string): Days {
  const cron = new Cron(`0 0 0 ${dayText}`, { timezone: 'UTC' })
  return ms => cron.nextRun(new Date(ms))?.getTime()
}

/** Makes each value once, and lets go of those that were made first when there are too many. */
function createCache<Value>(most: number, make: (key: string) => Value): (key: string) => Value {
  const known = new Map<string, Value>()
  return key => {
    const before = known.get(key)
    if (before !== undefined) return before
    const made = make(key)
    if (known.size >= most) known.delete(known.keys().next().value!)
    known.set(key, made)
    return made
  }
}

const partsOf = (text: string): string[] => (SHORTHANDS[text.toLowerCase()] ?? text).split(' ')

function readPattern(text: string, parts: readonly string[]): CronPattern {
  const refuse = (why: string): never => {
    throw new Error(`Invalid cron expression '${text.slice(0, 200)}': ${why}`)
  }
  if (text.length > limits.cronExpressionLength)
    return refuse(`it is longer than ${limits.cronExpressionLength} characters`)
  if (text.startsWith('@') && SHORTHANDS[text.toLowerCase()] === undefined)
    return refuse(`the shorthands are ${Object.keys(SHORTHANDS).join(', ')}`)
  if (parts.length < 5 || parts.length > 7)
    return refuse(
      `it has ${parts.length === 1 ? '1 field' : `${parts.length} fields`}; there are 5 (from the minute on), 6 (from the second on) or 7 (with a year)`,
    )
  try {
    return new CronPattern(parts.join(' '))
  } catch (error) {
    const [field, why] = wrongField(parts) ?? [undefined, reasonOf(error)]
    return refuse(field === undefined ? why : `field \`${field}\`: ${why}`)
  }
}

/** The first field that is wrong on its own. */
function wrongField(parts: readonly string[]): [string, string] | undefined {
  const all = parts.length === 5 ? ['0', ...parts] : parts
  for (const [index, part] of all.entries()) {
    try {
      new CronPattern(all.map((_, other) => (other === index ? part : '*')).join(' '))
    } catch (error) {
      return [FIELDS[index]!, reasonOf(error)]
    }
  }
  return undefined
}

const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/^CronPattern: /, '')

interface Times {
  readonly hours: readonly number[]
  readonly minutes: readonly number[]
  readonly seconds: readonly number[]
}

function placesOf(table: readonly number[]): number[] {
  return [...table.keys()].filter(place => table[place] === 1)
}

const firstFrom = (values: readonly number[], least: number): number | undefined =>
  values.find(value => value >= least)

/** Seconds of a day, after `time`. */
function timeAfter({ hours, minutes, seconds }: Times, time: number): number | undefined {
  const least = time + 1
  const [hour, minute, second] = [Math.floor(least / 3600), Math.floor(least / 60) % 60, least % 60]
  if (hours.includes(hour)) {
    if (minutes.includes(minute)) {
      const found = firstFrom(seconds, second)
      if (found !== undefined) return hour * 3600 + minute * 60 + found
    }
    const later = firstFrom(minutes, minute + 1)
    if (later !== undefined) return hour * 3600 + later * 60 + seconds[0]!
  }
  const later = firstFrom(hours, hour + 1)
  return later === undefined ? undefined : later * 3600 + minutes[0]! * 60 + seconds[0]!
}
