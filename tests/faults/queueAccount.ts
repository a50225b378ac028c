/**
 * What became of every job of the kill loop for queues: what was said to its publisher, what consumers wrote down, what is among
 * the dead in the end. `check` says what must hold of it.
 */
import { expect } from 'bun:test'
import { type Handler, handlers, type Job, type Line, MAX_ATTEMPTS } from './queueJob.ts'

export interface Published {
  readonly job: Job
  /** Who is to handle it. */
  readonly to: readonly Handler[]
  isAcknowledged: boolean
}

/** Row of `queue::messages`. */
export interface DeadRow {
  readonly function_id: string
  readonly attempt: number
  readonly data: Job
  readonly attempts: readonly { readonly code: string; readonly message: string }[]
}

export interface Account {
  readonly published: ReadonlyMap<number, Published>
  readonly lines: readonly Line[]
  readonly dead: readonly DeadRow[]
}

const ORDERED: readonly Handler[] = ['ledger', 'ordered']

/** Of the start of the engine in which it was given. */
const epochOf = ({ lease }: Line): string => lease.slice(0, lease.lastIndexOf('-'))
const keyOf = (handler: string, id: number): string => `${handler} ${id}`

export function check(account: Account): { begun: number; ended: number; dead: number } {
  const dead = new Map(account.dead.map(row => [keyOf(handlerOf(row), row.data.id), row]))
  const ended = new Set<string>()
  for (const { did, handler, id } of account.lines) if (did === 'end') ended.add(keyOf(handler, id))
  checkComplete(account, ended, dead)
  checkAttempts(account, dead)
  checkDead(account, dead)
  for (const handler of ORDERED) checkOrder(account, handler, dead)
  const begun = account.lines.filter(({ did }) => did === 'begin').length
  return { begun, ended: ended.size, dead: dead.size }
}

function handlerOf({ function_id }: DeadRow): Handler {
  return (Object.keys(handlers) as Handler[]).find(handler => handlers[handler] === function_id)!
}

/** Handled by everybody, or dead; nothing but what was published, and not early. */
function checkComplete(
  { published, lines }: Account,
  ended: ReadonlySet<string>,
  dead: ReadonlyMap<string, DeadRow>,
): void {
  const lost: string[] = []
  for (const { job, to, isAcknowledged } of published.values())
    for (const handler of to) {
      const key = keyOf(handler, job.id)
      if (isAcknowledged && !ended.has(key) && !dead.has(key)) lost.push(key)
    }
  expect(lost).toEqual([])
  for (const line of lines) {
    const of = published.get(line.id)
    expect([line, of?.to.includes(line.handler)]).toEqual([line, true])
    const { notBefore = 0 } = of!.job
    expect(line.at).toBeGreaterThanOrEqual(notBefore)
  }
}

/**
 * Attempts of a message are counted up, and an end of the engine is all that repeats one: it may have forgotten the last failure.
 * None is beyond the last, and a message has one receipt, also when its publisher has asked again.
 */
function checkAttempts({ lines }: Account, dead: ReadonlyMap<string, DeadRow>): void {
  const before = new Map<string, Line>()
  for (const line of lines) {
    if (line.did !== 'begin') continue
    const key = keyOf(line.handler, line.id)
    expect(line.attempt).toBeLessThanOrEqual(MAX_ATTEMPTS)
    const last = before.get(key)
    if (last !== undefined) {
      expect([key, line.message]).toEqual([key, last.message])
      const isSameStart = epochOf(last) === epochOf(line)
      expect([last, line, line.attempt >= last.attempt + (isSameStart ? 1 : 0)]).toEqual([last, line, true])
    }
    before.set(key, line)
  }
  for (const [key, { attempt }] of dead) expect([key, attempt]).toEqual([key, MAX_ATTEMPTS])
}

/** Each failure of a dead message says what has happened; what can only fail is dead. */
function checkDead({ published, lines }: Account, dead: ReadonlyMap<string, DeadRow>): void {
  const thrown = new Set(
    lines.filter(({ did }) => did === 'throw').map(({ handler, id }) => keyOf(handler, id)),
  )
  for (const [key, { data, attempts }] of dead) {
    expect([key, attempts.length]).toEqual([key, MAX_ATTEMPTS])
    for (const { code, message } of attempts) {
      // Its worker was killed, or it took longer than its lease.
      if (code === 'invocation_stopped' || code === 'lease_expired') continue
      expect([key, code, message]).toEqual([key, 'invocation_failed', `job ${data.id} is bad today`])
      expect([key, thrown.has(key)]).toEqual([key, true])
    }
  }
  for (const { job, to, isAcknowledged } of published.values())
    if (job.mood === 'poison' && isAcknowledged)
      for (const handler of to) expect([job, dead.has(keyOf(handler, job.id))]).toEqual([job, true])
}

/** Of a group, none begins before all those before it have succeeded or are dead, and none comes back after that. */
function checkOrder(
  { lines, published }: Account,
  handler: Handler,
  dead: ReadonlyMap<string, DeadRow>,
): void {
  const own = lines.filter(line => line.handler === handler)
  const seen = new Set(own.map(({ id }) => id))
  const groups = new Map<string, number[]>()
  for (const { job, to, isAcknowledged } of published.values()) {
    // One that nobody has acknowledged may be there, or not.
    if (!to.includes(handler) || dead.has(keyOf(handler, job.id))) continue
    if (isAcknowledged || seen.has(job.id)) groups.set(job.group, [...(groups.get(job.group) ?? []), job.id])
  }
  const next = new Map([...groups.keys()].map(group => [group, 0]))
  const ended = new Set<number>()
  let epoch = ''
  const over = new Set<string>()
  for (const line of own) {
    // What an engine had sent before it was killed may be read when the next one is there.
    if (epochOf(line) !== epoch) {
      if (over.has(epochOf(line))) continue
      over.add(epoch)
      epoch = epochOf(line)
    }
    if (dead.has(keyOf(handler, line.id))) continue
    if (line.did === 'end') ended.add(line.id)
    if (line.did !== 'begin') continue
    const ids = groups.get(line.group)!
    let at = next.get(line.group)!
    while (ids[at] !== line.id && ended.has(ids[at]!)) at++
    expect([line, ids[at]]).toEqual([line, line.id])
    next.set(line.group, at)
  }
}
