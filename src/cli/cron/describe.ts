/** Schedules and their runs as people read them. Pure; times of the answers are RFC 3339, `nowMs` milliseconds since 1970. */
import { duration, listIn, memberOf, numberIn, textIn, UNKNOWN } from '../reading.ts'
import { type Cell, type Colour, type Row, table } from '../table.ts'

const SCHEDULES: Row = ['NAME', 'FUNCTION', 'EXPRESSION', 'TIMEZONE', 'NEXT', 'LAST', 'STATE']
const RUNS: Row = ['SCHEDULED', 'OUTCOME', 'ATTEMPT', 'STARTED', 'TOOK', 'WHY']

const COLOUR_OF: Readonly<Record<string, Colour>> = {
  ok: 'green',
  running: 'cyan',
  failed: 'red',
  interrupted: 'red',
  left_out: 'yellow',
  cancelled: 'yellow',
}

const lines = (rows: readonly string[]): string => `${rows.join('\n')}\n`

function msIn(value: unknown, name: string): number | undefined {
  const ms = Date.parse(textIn(value, name))
  return Number.isNaN(ms) ? undefined : ms
}

/** `2026-05-01 00:30:00Z`, with a fraction only if there is one. */
function instant(ms: number | undefined): string {
  if (ms === undefined) return UNKNOWN
  return new Date(ms).toISOString().replace('T', ' ').replace('.000Z', 'Z')
}

const withDistance = (ms: number, nowMs: number): string =>
  `${instant(ms)}  ${ms >= nowMs ? `in ${duration(ms - nowMs)}` : 'now'}`

/** What names a schedule in a command: its name, unless that was made of its function. Then the id of its trigger. */
function nameOf(schedule: unknown): string {
  const [name, functionId] = [textIn(schedule, 'name'), textIn(schedule, 'function_id')]
  const isMade = name.startsWith(
    `${textIn(schedule, 'namespace')}/${functionId} ${textIn(schedule, 'expression')} `,
  )
  return isMade ? textIn(schedule, 'id') : name
}

function outcome(run: unknown): Cell {
  const text = textIn(run, 'outcome')
  const colour = COLOUR_OF[text]
  return colour === undefined ? text : { text, colour }
}

function lastOf(schedule: unknown): Cell {
  const run = memberOf(schedule, 'last_run')
  const at = msIn(run, 'scheduled_time')
  if (at === undefined) return UNKNOWN
  const colour = COLOUR_OF[textIn(run, 'outcome')]
  const reason = textIn(run, 'reason')
  const text = `${instant(Math.floor(at / 1000) * 1000)}  ${reason === UNKNOWN ? textIn(run, 'outcome') : reason}`
  return colour === undefined ? text : { text, colour }
}

function stateOf(schedule: unknown): Cell {
  if (memberOf(schedule, 'paused') === true) return { text: 'paused', colour: 'yellow' }
  const [running, waiting] = [numberIn(schedule, 'running') ?? 0, numberIn(schedule, 'waiting_ticks') ?? 0]
  if (running === 0) return 'waits'
  const more = waiting === 0 ? '' : `, ${waiting} wait${waiting === 1 ? 's' : ''}`
  return { text: `${running === 1 ? 'runs' : `${running} run`}${more}`, colour: 'cyan' }
}

/** The answer of `cron::list`. */
export function describeSchedules(answer: unknown, nowMs: number, colours: boolean): string {
  const schedules = listIn(answer, 'schedules')
  if (schedules.length === 0) return lines(['There are no schedules.'])
  const rows = schedules.map((schedule): Row => {
    const next = msIn(schedule, 'next_run')
    return [
      nameOf(schedule),
      textIn(schedule, 'function_id'),
      textIn(schedule, 'expression'),
      textIn(schedule, 'timezone'),
      next === undefined ? 'never' : withDistance(next, nowMs),
      lastOf(schedule),
      stateOf(schedule),
    ]
  })
  return lines(table([SCHEDULES, ...rows], { colours }))
}

/** `undefined`: all are there. */
export function whatIsMissing(answer: unknown): string | undefined {
  const [shown, total] = [listIn(answer, 'schedules').length, numberIn(answer, 'total') ?? 0]
  return total > shown ? `${shown} of ${total} schedules are shown` : undefined
}

function whyOf(run: unknown): string {
  const [reason, error, count] = [textIn(run, 'reason'), textIn(run, 'error'), numberIn(run, 'count')]
  const told = [reason, error].filter(text => text !== UNKNOWN).join(': ')
  return count === undefined || count === 1 ? told : `${told}, ${count} times`
}

/** The answer of `cron::history`, the latest run first. */
export function describeHistory(answer: unknown, colours: boolean): string {
  const runs = listIn(answer, 'runs')
  if (runs.length === 0) return lines([`${textIn(answer, 'name')} has not run yet.`])
  const rows = runs.map((run): Row => {
    const [started, ended] = [msIn(run, 'started_at'), msIn(run, 'ended_at')]
    const by = memberOf(run, 'manual') === true ? ' by hand' : ''
    return [
      `${instant(msIn(run, 'scheduled_time'))}${by}`,
      outcome(run),
      textIn(run, 'attempt'),
      instant(started),
      started === undefined || ended === undefined ? UNKNOWN : took(ended - started),
      whyOf(run),
    ]
  })
  return lines(table([RUNS, ...rows], { colours }))
}

const took = (ms: number): string =>
  ms < 1000 ? `${ms} ms` : ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms)

/** Writes what clocks show in a time zone; `undefined`: it is UTC, or one that is not known here. */
function wallOf(timezone: string): ((ms: number) => string) | undefined {
  if (timezone === 'UTC') return undefined
  try {
    // The Swedish way of writing a time is that of ISO 8601.
    const format = new Intl.DateTimeFormat('sv-SE', {
      timeZone: timezone,
      dateStyle: 'short',
      timeStyle: 'medium',
    })
    return ms => `${format.format(ms)} ${timezone}`
  } catch {
    return undefined
  }
}

/** The answer of `cron::next`: a line each, with what clocks show in the time zone of the schedule. */
export function describeNext(answer: unknown, nowMs: number): string {
  const instants = listIn(answer, 'instants')
    .map(text => Date.parse(String(text)))
    .filter(ms => !Number.isNaN(ms))
  if (instants.length === 0) return lines(['It never fires again.'])
  const wall = wallOf(textIn(answer, 'timezone'))
  if (wall === undefined) return lines(instants.map(ms => withDistance(ms, nowMs)))
  return lines(table(instants.map(ms => [wall(ms), withDistance(ms, nowMs)])))
}
