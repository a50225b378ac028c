/** The `cron::*` functions (`docs/cron.md#functions`). */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import { type BuiltInClient, RawJson } from '../../sdk/typescript/src/worker.ts'
import { deliveryRow } from '../../src/delivery/list.ts'
import { JSON_NULL } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import { type Fields, type Read, readMembers, refusing, required, shape, text, whole } from '../fields.ts'
import { missedSince, planOfRemembered } from './absent.ts'
import { latestOf, runsOf } from './history.ts'
import { isHeld, runsNow, type Schedule, type Schedules } from './schedules.ts'
import type { Run } from './store.ts'
import { rfc3339 } from './time.ts'
import { planOf } from './trigger.ts'

export interface FunctionParts {
  readonly schedules: Schedules
  readonly wallClock: () => number
}

const USUAL_ROWS = 100
const USUAL_INSTANTS = 5

const which = required(text('id of a trigger, or name of a schedule'))
const rows = whole(`rows; ${USUAL_ROWS} without it`, 1, limits.subscriptionRows)

const timeOrNull = (ms: number | undefined): string | null => (ms === undefined ? null : rfc3339(ms))

function runRow({ scheduledMs, outcome, reason, count, startedMs, endedMs, attempt, isManual, error }: Run) {
  return {
    scheduled_time: rfc3339(scheduledMs),
    outcome,
    ...(reason === undefined ? {} : { reason }),
    ...(count === undefined ? {} : { count }),
    ...(startedMs === undefined ? {} : { started_at: rfc3339(startedMs) }),
    ...(endedMs === undefined ? {} : { ended_at: rfc3339(endedMs) }),
    ...(attempt === undefined ? {} : { attempt }),
    ...(isManual === undefined ? {} : { manual: isManual }),
    ...(error === undefined ? {} : { error }),
  }
}

/** Why it does nothing now, or that it does. */
function stateOf(schedule: Schedule): 'no_worker' | 'paused' | 'runs' | 'waits' {
  if (!isHeld(schedule)) return 'no_worker'
  if (schedule.isPaused) return 'paused'
  return schedule.running > 0 ? 'runs' : 'waits'
}

/** Of a schedule that nobody has. */
function absenceOf(schedule: Schedule, now: number) {
  return {
    state: stateOf(schedule),
    missed_since: schedule.isPaused ? null : timeOrNull(missedSince(schedule, now)),
  }
}

function scheduleRow(schedule: Schedule, now: number) {
  const { seen, isPaused } = schedule
  const active = schedule.active()
  const binding = seen?.subscription.binding
  const last = latestOf(runsNow(schedule))
  return {
    id: active?.subscription.id ?? null,
    name: schedule.name,
    function_id: binding?.function_id ?? null,
    namespace: binding === undefined ? null : (binding.namespace ?? 'default'),
    expression: schedule.expression,
    timezone: schedule.timezone,
    misfire: seen?.job.misfire.policy ?? null,
    overlap: seen?.job.overlap ?? null,
    triggers: schedule.members.size,
    state: stateOf(schedule),
    paused: isPaused,
    next_run: timeOrNull(active === undefined ? planOfRemembered(schedule)?.next(now) : schedule.nextMs),
    running: schedule.running,
    waiting_ticks: schedule.waiting.length,
    last_run: last === undefined ? null : runRow(last),
    ...(active === undefined ? absenceOf(schedule, now) : deliveryRow(active.subscription)),
  }
}

/** The latest instant first; of one instant, what was written last. */
const latestFirst = (runs: readonly Run[]): Run[] =>
  [...runs].reverse().sort((one, other) => other.scheduledMs - one.scheduledMs)

export function registerFunctions(client: BuiltInClient, { schedules, wallClock }: FunctionParts): void {
  function register<Of extends Fields>(
    id: string,
    description: string,
    fields: Of,
    answer: (input: Read<Of>) => unknown,
  ): void {
    const { format, read } = shape(fields, { isExact: true })
    const refuse = refusing(id)
    client.registerFunction<RawJson>(id, input => answer(read(readMembers(input.text, refuse), refuse)), {
      description,
      request_format: format,
      rawInput: true,
    })
  }

  function found(idOrName: string): Schedule {
    const schedule = schedules.find(idOrName)
    if (schedule !== undefined) return schedule
    throw new HandlerError('NOT_FOUND', `Cron job '${idOrName.slice(0, 200)}' not found`)
  }

  register('cron::list', 'Lists schedules with their next and last runs', { limit: rows }, ({ limit }) => {
    const all = schedules.all()
    return {
      schedules: all.slice(0, limit ?? USUAL_ROWS).map(schedule => scheduleRow(schedule, wallClock())),
      total: all.length,
    }
  })

  register(
    'cron::history',
    'The latest runs of a schedule, and the ticks it left out, the latest first',
    { id: which },
    ({ id }) => {
      const schedule = found(id)
      return {
        name: schedule.name,
        state: stateOf(schedule),
        ...(isHeld(schedule) ? {} : absenceOf(schedule, wallClock())),
        runs: latestFirst(runsOf(runsNow(schedule))).map(runRow),
      }
    },
  )

  register(
    'cron::next',
    'When a schedule, or an expression, fires next',
    {
      id: text('id of a trigger, or name of a schedule'),
      expression: text('instead of a schedule: a cron expression'),
      timezone: text('of the expression; UTC without it'),
      count: whole(`instants; ${USUAL_INSTANTS} without it`, 1, limits.subscriptionRows),
    },
    ({ id, expression, timezone, count = USUAL_INSTANTS }) => {
      const schedule = id === undefined ? undefined : found(id)
      const plan =
        schedule === undefined
          ? planOf(expression, timezone)
          : (schedule.active()?.job.plan ?? planOf(schedule.expression, schedule.timezone))
      const instants: number[] = []
      for (let at = plan.next(wallClock()); at !== undefined && instants.length < count; at = plan.next(at))
        instants.push(at)
      return {
        expression: plan.expression,
        timezone: plan.timezone,
        instants: instants.map(at => rfc3339(at)),
        local: instants.map(at => rfc3339(at, plan.offsetAt(at))),
      }
    },
  )

  async function runNow({ id }: { readonly id: string }): Promise<unknown> {
    const schedule = found(id)
    if (!isHeld(schedule))
      throw new HandlerError(
        'NO_WORKER',
        `'${schedule.name.slice(0, 200)}' was not called: no worker that is connected has a trigger of it`,
      )
    const ending = await schedules.runNow(schedule)
    switch (ending.kind) {
      case 'delivered':
        return new RawJson(ending.result ?? JSON_NULL)
      case 'failed':
        throw new HandlerError(ending.error.code, ending.error.message)
      case 'skipped':
        throw new HandlerError('CONDITION_NOT_MET', `The condition of '${id}' says no`)
      case 'cancelled':
        throw new HandlerError('CANCELLED', `The run of '${id}' was given up: its next tick has come`)
      case 'dropped':
        throw new HandlerError('invocation_failed', `'${id}' was not called: ${ending.why}`)
    }
  }
  register('cron::run', 'Runs a schedule now; answers what its function does', { id: which }, runNow)
  register('cron::run-now', 'Another name of cron::run', { id: which }, runNow)

  for (const [id, isPaused] of [
    ['cron::pause', true],
    ['cron::resume', false],
  ] as const) {
    const does = isPaused ? 'Stops a schedule; its ticks are left out' : 'Lets a schedule go on'
    register(id, `${does}, also after a restart`, { id: which }, async input => {
      const schedule = found(input.id)
      await schedules.pause(schedule, isPaused)
      return { name: schedule.name, paused: isPaused }
    })
  }
}
