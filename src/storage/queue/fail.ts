import { limits } from '../../protocol/limits.ts'
import { boundDead } from './bounds.ts'
import type { FailCommand, QueueAnswer } from './command.ts'
import type { QueueContext } from './context.ts'
import { makeRoom } from './leave.ts'
import { canBeLeased, type Message } from './message.ts'
import { storableMs } from './tables.ts'

export function fail({ number, report, next }: FailCommand, context: QueueContext): QueueAnswer {
  const { tables, nowMs, emit, expires } = context
  const before = tables.get(number)
  if (before === undefined || before.deadAtMs !== undefined) return { count: 0 }
  const failed: Message = {
    ...before,
    failures: before.failures + 1,
    reports: [...before.reports, report].slice(-limits.queueReportsKept),
    dueAtMs: typeof next === 'number' && next > nowMs ? storableMs(next) : undefined,
  }
  if (next !== 'never') {
    tables.change(before, failed)
    if (canBeLeased(failed)) emit({ event: 'placed', message: failed })
    return { count: 1 }
  }
  const { deadMs } = tables.bounds(before.queue)
  const keptUntilMs = deadMs === undefined ? undefined : storableMs(nowMs + deadMs)
  const dead: Message = { ...failed, isHead: false, deadAtMs: nowMs, keptUntilMs }
  tables.change(before, dead)
  emit({ event: 'gone', message: dead })
  makeRoom(context, before)
  if (keptUntilMs !== undefined) expires(keptUntilMs)
  boundDead(context, before.queue)
  return { count: 1 }
}
