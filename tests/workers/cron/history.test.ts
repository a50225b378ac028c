/** The latest runs of a schedule: the same as a plain list of objects would have. */
import { expect, test } from 'bun:test'
import { limits } from '../../../src/protocol/limits.ts'
import { begun, historyOf, leftOut, NO_RUNS, replaced, runsOf } from '../../../workers/cron/history.ts'
import type { Run } from '../../../workers/cron/store.ts'
import { createRandom } from '../../support/random.ts'

test('whatever is begun, ends and is left out, it has the latest of it', () => {
  const random = createRandom()
  let runs = NO_RUNS
  let plain: Run[] = []
  /** Under way. */
  let open: Run[] = []
  function add(run: Run): void {
    plain = [...plain, run]
  }
  for (let step = 0; step < 3000; step++) {
    const scheduledMs = step * 60_000
    const choice = random.between(0, 5)
    if (choice === 0) {
      const reason = random.between(0, 2) === 0 ? 'overlap' : 'paused'
      const last = plain.at(-1)
      runs = leftOut(runs, scheduledMs, reason, 2)
      const goesOn = last?.reason === reason
      if (goesOn) plain = plain.slice(0, -1)
      add({ scheduledMs, outcome: 'left_out', reason, count: 2 + (goesOn ? last.count! : 0) })
    } else if (choice < 3 && open.length < 5) {
      const run: Run = { scheduledMs, outcome: 'running', startedMs: scheduledMs + 3, attempt: 1 }
      open.push(run)
      runs = begun(runs, run)
      add(run)
    } else if (open.length > 0) {
      const [before] = open.splice(random.between(0, open.length), 1)
      const error = 'a "text"],[with,\n everything'
      const after: Run = { ...before!, outcome: 'failed', endedMs: before!.startedMs! + 5, error }
      runs = replaced(runs, before!, after)
      if (plain.includes(before!)) plain = plain.map(run => (run === before ? after : run))
      else add(after)
    }
    plain = plain.slice(-limits.cronHistory)
    open = open.filter(run => plain.includes(run))
    expect([random.seed, runsOf(runs)]).toEqual([random.seed, plain])
  }
  expect(runsOf(historyOf(plain))).toEqual(plain)
})
