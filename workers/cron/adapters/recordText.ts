/**
 * What is remembered of a schedule, as the text it is kept as. A run is a list of few characters and not an object with names, because
 * twenty of them are written twice for each tick: what is written is most of what a tick costs.
 */
import { asJsonText, fromJsonText, type JsonText, toJsonText } from '../../../src/protocol/jsonText.ts'
import type { Outcome, Run, ScheduleRecord } from '../store.ts'

const LETTERS = {
  running: 'r',
  ok: 'o',
  failed: 'f',
  interrupted: 'i',
  cancelled: 'c',
  left_out: 'l',
} as const
type Letter = (typeof LETTERS)[Outcome]
const OUTCOMES = Object.fromEntries(
  Object.entries(LETTERS).map(([outcome, letter]) => [letter, outcome]),
) as Record<Letter, Outcome>

type Rest = Pick<Run, 'reason' | 'count' | 'isManual' | 'error'>

/** Instant, outcome, attempt, milliseconds from the instant to the start and from there to the end, everything else. */
type RunList = readonly [number, Letter, (number | null)?, (number | null)?, (number | null)?, Rest?]

/** Put together by hand: it is done for twenty runs each time, and takes a third of the time that way. */
function textOf(run: Run): string {
  const { scheduledMs, startedMs, endedMs, attempt = null, reason, count, isManual, error } = run
  const began = startedMs === undefined ? null : startedMs - scheduledMs
  const took = startedMs === undefined || endedMs === undefined ? null : endedMs - startedMs
  const isPlain = reason === undefined && count === undefined && isManual === undefined && error === undefined
  const rest = isPlain ? '' : `,${toJsonText({ reason, count, isManual, error })}`
  return `[${scheduledMs},"${LETTERS[run.outcome]}",${attempt},${began},${took}${rest}]`
}

function runOf([scheduledMs, letter, attempt, began, took, rest]: RunList): Run {
  const startedMs = typeof began === 'number' ? scheduledMs + began : undefined
  return {
    scheduledMs,
    outcome: OUTCOMES[letter],
    ...(typeof attempt === 'number' ? { attempt } : {}),
    ...(startedMs === undefined ? {} : { startedMs }),
    ...(startedMs === undefined || typeof took !== 'number' ? {} : { endedMs: startedMs + took }),
    ...rest,
  }
}

export function recordText({
  name,
  expression,
  timezone,
  lastMs,
  isPaused,
  waiting,
  runs,
}: ScheduleRecord): JsonText {
  let texts = ''
  for (const run of runs) texts += texts === '' ? textOf(run) : `,${textOf(run)}`
  const head = toJsonText({ name, expression, timezone, lastMs, isPaused, waiting })
  return asJsonText(`${head.slice(0, -1)},"runs":[${texts}]}`)
}

export function recordOf(text: JsonText): ScheduleRecord {
  const { runs, ...record } = fromJsonText(text) as Omit<ScheduleRecord, 'runs'> & {
    runs: readonly RunList[]
  }
  return { ...record, runs: runs.map(runOf) }
}
