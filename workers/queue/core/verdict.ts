/** What follows from the end of a lease: the command that writes it down. */
import type { FailCommand, FinishCommand } from '../../../src/storage/queue/command.ts'
import type { FailureReport } from '../../../src/storage/queue/message.ts'
import { type BackoffPolicy, backoffMs } from './backoff.ts'
import type { Lease } from './lease.ts'

export interface RetryPolicy {
  /** Attempts in total; 0 is as 1. */
  readonly maxAttempts: number
  readonly backoff: BackoffPolicy
}

export type Ending =
  | { readonly kind: 'done' }
  /** `delayMs`: who has given it back wants it so long later. */
  | { readonly kind: 'failed'; readonly report: FailureReport; readonly delayMs?: number | undefined }
  /** Whoever had it is gone. It is tried again at once: nothing says that waiting would help. */
  | { readonly kind: 'lost'; readonly report: FailureReport }

export function verdict(
  { message, attempt }: Lease,
  ending: Ending,
  { maxAttempts, backoff }: RetryPolicy,
  { nowMs, chance }: { readonly nowMs: number; readonly chance: number },
): FinishCommand | FailCommand {
  const { number } = message
  if (ending.kind === 'done') return { command: 'finish', number, message }
  const { report } = ending
  if (attempt >= maxAttempts) return { command: 'fail', number, report, next: 'never' }
  if (ending.kind === 'lost') return { command: 'fail', number, report, next: 'now' }
  const waits = ending.delayMs ?? backoffMs(backoff, attempt, chance)
  return { command: 'fail', number, report, next: nowMs + waits }
}
