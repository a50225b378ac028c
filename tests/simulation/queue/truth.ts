/**
 * What must be true of messages, from outside: who publishes, who is called, and which commits went through. Where a commit is
 * in doubt both is possible, and what is seen next decides. Nothing of the queues' own code is in here.
 */
export const MAX_ATTEMPTS = 3
export const LEASE_MS = 400
export const BACKOFF_MS = 50
export const CONCURRENCY = 3

/** What has become of what was submitted in a turn. */
export type Commit = 'committed' | 'refused' | 'doubt'

export interface Call {
  readonly worker: string
  readonly invocation: string
  readonly untilMs: number
}

export interface Message {
  readonly id: number
  readonly queue: string
  readonly group: string | undefined
  /** `maybe`: nobody knows. `gone`: it is done or dead, or was refused. */
  is: 'unwritten' | 'there' | 'maybe' | 'gone'
  /** What the next attempt may be called. */
  attempts: Set<number>
  dueMs: number
  /** When it is due after its failure, if that is written. */
  againMs: number
  call: Call | undefined
  /** How it has ended, not committed yet. */
  ending: 'done' | 'failed' | undefined
  isDone: boolean
  /** It was handed out while nobody knew its failures: one that is written then may have been of the attempt before. */
  isCountedLate: boolean
}

export class Wrong extends Error {}

export function createTruth() {
  const messages: Message[] = []

  const isEarlier = (one: Message, of: Message): boolean =>
    one.id < of.id && one.queue === of.queue && of.group !== undefined && one.group === of.group

  function failed(message: Message, commit: Commit, nowMs = 0): void {
    if (commit === 'refused') return
    const attempt = Math.max(...message.attempts)
    const isLast = attempt >= MAX_ATTEMPTS
    if (commit === 'doubt') {
      message.dueMs = 0
      if (isLast) message.is = 'maybe'
      else message.attempts.add(attempt + 1)
      return
    }
    if (isLast) message.is = Math.min(...message.attempts) >= MAX_ATTEMPTS ? 'gone' : 'maybe'
    message.attempts = new Set([...message.attempts].map(each => each + 1))
    // It was due again before that was written.
    message.dueMs = message.againMs <= nowMs ? 0 : message.againMs
  }

  return {
    messages,
    running: (queue: string): number =>
      messages.filter(({ queue: of, call }) => of === queue && call !== undefined).length,
    publish(queue: string, group: string | undefined, dueMs: number): Message {
      const id = messages.length
      const message: Message = {
        ...{ id, queue, group, dueMs, againMs: 0, is: 'unwritten' as const, attempts: new Set([1]) },
        ...{ call: undefined, ending: undefined, isDone: false, isCountedLate: false },
      }
      messages.push(message)
      return message
    },
    /** A handler is called with it. */
    called(
      id: number,
      attempt: number,
      call: Call,
      { nowMs, isBroken }: { readonly nowMs: number; readonly isBroken: boolean },
    ): Message {
      const message = messages[id]
      const about = `message ${id}, attempt ${attempt}`
      if (message === undefined) throw new Wrong(`${about} was never published`)
      if (message.is === 'unwritten') throw new Wrong(`${about} is handed out before it is written`)
      if (message.is === 'gone') throw new Wrong(`${about} is handed out, and was done, dead or refused`)
      if (message.call !== undefined) throw new Wrong(`${about} is with somebody else`)
      if (message.ending !== undefined) throw new Wrong(`${about} is handed out while its end is written`)
      if (nowMs < message.dueMs) throw new Wrong(`${about} is early`)
      const isLate = message.isCountedLate && attempt === Math.max(...message.attempts) + 1
      if (!message.attempts.has(attempt) && !isLate)
        throw new Wrong(`${about}, and it should be ${[...message.attempts].join(' or ')}`)
      const before = messages.find(one => one.is === 'there' && isEarlier(one, message))
      if (before !== undefined)
        throw new Wrong(`${about} is handed out before message ${before.id} of its group`)
      // While the disk does not say what it has, nobody knows more for that.
      if (!isBroken) {
        message.is = 'there'
        message.attempts = new Set([attempt])
      }
      message.isCountedLate ||= isBroken
      message.call = call
      return message
    },
    /** The turn is over: everything that was submitted in it shares its fate. `isBroken`: the engine is gone as well. */
    commit(commit: Commit, nowMs: number): void {
      for (const message of messages) {
        if (message.is === 'unwritten') {
          // It was due before it was written.
          if (message.dueMs <= nowMs) message.dueMs = 0
          message.is = commit === 'committed' ? 'there' : commit === 'doubt' ? 'maybe' : 'gone'
        } else if (message.ending === 'failed') failed(message, commit, nowMs)
        else if (message.ending === 'done' && commit !== 'refused') {
          message.is = commit === 'doubt' ? 'maybe' : 'gone'
          message.isDone = true
        }
        message.ending = undefined
      }
    },
    /** Time-outs: when the queues notice is up to them, and whoever is late is not heard. */
    expire(nowMs: number): void {
      for (const message of messages) {
        if (message.call === undefined || message.call.untilMs > nowMs) continue
        message.call = undefined
        failed(message, 'doubt')
      }
    },
    /** Leases go on for as long as they were to. */
    clockSet(ms: number): void {
      for (const message of messages)
        if (message.call !== undefined) message.call = { ...message.call, untilMs: message.call.untilMs + ms }
    },
    /** The engine is gone: nobody has anything. */
    forgetCalls(): void {
      for (const message of messages) message.call = undefined
    },
    lost(worker: string): void {
      for (const message of messages) {
        if (message.call?.worker !== worker) continue
        message.call = undefined
        message.ending = 'failed'
        message.againMs = 0
      }
    },
    ended(message: Message, ending: 'done' | 'failed', nowMs: number): void {
      if (ending === 'failed') message.againMs = nowMs + BACKOFF_MS
      message.call = undefined
      message.ending = ending
    },
    waiting: (): Message[] => messages.filter(({ is }) => is === 'there'),
  }
}

export type Truth = ReturnType<typeof createTruth>
