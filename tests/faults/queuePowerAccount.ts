/**
 * What is known for sure of every message of the power loss loop for queues: what its publisher was told, who has had it, what was
 * there after each loss. Each new piece of news is compared with what is known already, and throws if both cannot be true.
 */
import { expect } from 'bun:test'

/** Who gets messages, each a queue or a subscription of its own. */
export const lanes = ['plain', 'ordered', 'mail', 'ledger', 'taken', 'once'] as const
export type Lane = (typeof lanes)[number]
/** Those in order within groups. */
const IN_ORDER: ReadonlySet<Lane> = new Set(['ordered', 'ledger'])
export const MAX_ATTEMPTS = 3

export interface PowerJob {
  /** In the order in which they are published. */
  readonly id: number
  readonly group: string
  /** `throws`: at first; `poison`: each time. */
  readonly mood: 'quick' | 'throws' | 'poison'
  readonly pad: string
  /** Wall clock, milliseconds: not before. */
  readonly notBefore?: number
}

/** Row of `queue::messages`. */
export interface Row {
  readonly id: string
  readonly state: string
  readonly reason: string
  readonly function_id?: string
  readonly attempt: number
  readonly due_at?: number
  readonly attempts: readonly { readonly code: string; readonly message: string }[]
  readonly data: PowerJob
}

interface Entry {
  readonly lane: Lane
  readonly job: PowerJob
  readonly isAskedAgain: boolean
  /** Its publisher knows that it is there, or somebody has seen it. */
  isThere: boolean
  /** Whoever had it says that it is done; that may not have been written. */
  isEnded: boolean
  /** Gone, as was said or seen: it must not come again. */
  isOver: boolean
  isDead: boolean
  /** Tried again, as was said, and not begun since. */
  isRedriven: boolean
  /** Since it was asked that it be tried again. */
  hasBegun: boolean
  /** That are written. `undefined`: a redrive is under way, and nobody knows. */
  failures: number | undefined
  receipt: string | undefined
}

export interface PowerAccount {
  /** `again`: its publisher asks again until it is answered. */
  publish(job: PowerJob, to: readonly Lane[], again?: boolean): void
  /** It was taken. */
  acknowledged(job: PowerJob): void
  /** Somebody has it. */
  begin(lane: Lane, job: PowerJob, attempt: number): void
  /** Whoever has it is about to say so. */
  end(lane: Lane, id: number): void
  /** It was said that the end is written. */
  over(lane: Lane, id: number): void
  failed(lane: Lane, id: number, attempt: number, isDead: boolean): void
  /** It is asked that they be tried again. */
  redrive(of: readonly Lane[]): void
  /** It was said that this one is. */
  redriven(lane: Lane, id: number): void
  /** Receipt of one that is dead. */
  someDead(pick: (count: number) => number): { lane: Lane; id: number; receipt: string } | undefined
  /** Everything that is there while nobody takes anything. */
  inspect(rows: readonly Row[]): void
  tally(): Record<string, number>
}

const laneOf = ({ function_id }: Row, jobs: ReadonlyMap<string, Entry>, { id }: PowerJob): Lane =>
  function_id === undefined
    ? jobs.has(`once ${id}`)
      ? 'once'
      : 'taken'
    : (function_id.slice('power::'.length) as Lane)

export function createPowerAccount(): PowerAccount {
  const all = new Map<string, Entry>()
  /** Those that may be there. */
  const open = new Map<string, Entry>()
  /** Of a lane and group: the last one that has begun since the power was lost, of those that do not fail for good. */
  const lastBegun = new Map<string, number>()
  /** In the order of publication. */
  const groups = new Map<string, Entry[]>()
  const tally = { published: 0, begun: 0, over: 0, dead: 0, redriven: 0, again: 0 }

  const entryOf = (lane: Lane, id: number): Entry => {
    const entry = all.get(`${lane} ${id}`)
    if (entry === undefined) throw new Error(`job ${id} was never published to ${lane}`)
    return entry
  }
  const must = (entry: Entry, what: string, is: boolean): void => {
    if (!is)
      throw new Error(`${what}: ${JSON.stringify({ ...entry, job: { ...entry.job, pad: undefined } })}`)
  }

  function setOver(entry: Entry): void {
    if (entry.isOver) return
    entry.isOver = true
    tally.over++
    open.delete(`${entry.lane} ${entry.job.id}`)
  }

  function checkOrder(entry: Entry): void {
    const { lane, job } = entry
    if (!IN_ORDER.has(lane) || job.mood === 'poison') return
    const group = `${lane} ${job.group}`
    must(entry, 'one behind it has begun before', (lastBegun.get(group) ?? -1) <= job.id)
    lastBegun.set(group, job.id)
    const list = groups.get(group)!
    while (list[0]?.isOver === true) list.shift()
    const before = list.find(each => each.job.id < job.id && each.isThere && !each.isEnded && !each.isOver)
    must(before ?? entry, `${job.id} has begun before it`, before === undefined)
  }

  return {
    publish(job, to, isAskedAgain = false) {
      for (const lane of to) {
        const entry: Entry = {
          lane,
          job,
          isAskedAgain,
          isThere: false,
          isEnded: false,
          isOver: false,
          isDead: false,
          isRedriven: false,
          hasBegun: false,
          failures: 0,
          receipt: undefined,
        }
        all.set(`${lane} ${job.id}`, entry)
        open.set(`${lane} ${job.id}`, entry)
        if (!IN_ORDER.has(lane) || job.mood === 'poison') continue
        const group = `${lane} ${job.group}`
        groups.set(group, [...(groups.get(group) ?? []), entry])
      }
    },
    acknowledged({ id }) {
      tally.published++
      for (const lane of lanes) {
        const entry = all.get(`${lane} ${id}`)
        if (entry !== undefined) entry.isThere = true
      }
    },
    begin(lane, job, attempt) {
      const entry = entryOf(lane, job.id)
      tally.begun++
      must(entry, 'it was over, and has come again', !entry.isOver)
      must(entry, 'it was dead, and has come again', !entry.isDead)
      must(entry, 'it is not what was published', Bun.deepEquals(entry.job, job))
      must(entry, 'it has come too early', Date.now() >= (job.notBefore ?? 0))
      must(entry, `attempt ${attempt} is beyond the last`, attempt <= MAX_ATTEMPTS)
      if (entry.failures !== undefined) {
        must(entry, `attempt ${attempt} was before`, attempt > entry.failures)
        // That the attempt before has failed is written before this one begins.
        entry.failures = attempt - 1
      }
      entry.isThere = true
      entry.isRedriven = false
      entry.hasBegun = true
      checkOrder(entry)
    },
    end(lane, id) {
      entryOf(lane, id).isEnded = true
    },
    over: (lane, id) => setOver(entryOf(lane, id)),
    failed(lane, id, attempt, isDead) {
      const entry = entryOf(lane, id)
      if (entry.failures === undefined) return
      entry.failures = attempt
      entry.isDead = isDead
    },
    redrive(of) {
      for (const entry of open.values()) {
        if (!of.includes(entry.lane)) continue
        entry.isDead = false
        entry.hasBegun = false
        entry.failures = undefined
      }
    },
    redriven(lane, id) {
      const entry = entryOf(lane, id)
      entry.isRedriven = !entry.hasBegun
      tally.redriven++
    },
    someDead(pick) {
      const dead = [...open.values()].filter(({ isDead, receipt }) => isDead && receipt !== undefined)
      const entry = dead[pick(Math.max(1, dead.length))]
      return entry && { lane: entry.lane, id: entry.job.id, receipt: entry.receipt! }
    },
    inspect(rows) {
      const found = new Map<string, Row>()
      for (const row of rows) {
        const key = `${laneOf(row, all, row.data)} ${row.data.id}`
        expect([key, found.has(key)]).toEqual([key, false])
        found.set(key, row)
        const entry = all.get(key)
        expect([key, entry?.job]).toEqual([key, row.data])
        must(entry!, 'it was over, and is there', !entry!.isOver)
      }
      tally.dead = 0
      // An end may have been lost, and then the group goes on from there.
      lastBegun.clear()
      for (const [key, entry] of open) {
        const row = found.get(key)
        if (row === undefined) {
          if (entry.isAskedAgain && !entry.isThere) continue
          const mayBeGone = entry.isEnded || entry.lane === 'once' || !entry.isThere
          must(entry, 'it was acknowledged, and is lost', mayBeGone && !entry.isDead && !entry.isRedriven)
          setOver(entry)
          continue
        }
        checkRow(entry, row)
        entry.isThere = true
        if (entry.isEnded) tally.again++
        entry.isEnded = false
        entry.isDead = row.state === 'dead'
        entry.isRedriven = false
        entry.failures = row.attempt
        entry.receipt = row.id
        if (entry.isDead) tally.dead++
      }
      checkHeads(rows)
    },
    tally: () => ({ ...tally }),
  }

  function checkRow(entry: Entry, row: Row): void {
    const isDead = row.state === 'dead'
    must(entry, 'it was dead, and is not any more', !entry.isDead || isDead)
    must(entry, 'it was redriven, and is dead', !entry.isRedriven || (!isDead && row.attempt === 0))
    must(entry, `${row.attempt} failures are fewer than there were`, row.attempt >= (entry.failures ?? 0))
    const isQuick = entry.job.mood === 'quick'
    const errors = row.attempts.map(({ code, message }) => `${code}: ${message}`)
    must(entry, `nobody has failed with it: ${errors}`, !isQuick || row.attempt === 0)
    const isBad = /^(invocation_failed|nack): job (\d+) is bad$/
    // Those of before a redrive are kept, too.
    must(entry, `${errors.length} errors are too few`, errors.length >= row.attempt)
    for (const error of errors) expect([error, isBad.exec(error)?.[2]]).toEqual([error, String(entry.job.id)])
    if (isDead) must(entry, 'it is dead too early', row.attempt === MAX_ATTEMPTS)
  }

  /** One of each group may go: the oldest of those that do not fail for good, or one that does, which may have been redriven. */
  function checkHeads(rows: readonly Row[]): void {
    const waiting = new Map<string, Row[]>()
    for (const row of rows) {
      const lane = laneOf(row, all, row.data)
      if (!IN_ORDER.has(lane) || row.state === 'dead') continue
      const group = `${lane} ${row.data.group}`
      waiting.set(group, [...(waiting.get(group) ?? []), row])
    }
    for (const [group, list] of waiting) {
      const heads = list.filter(row => row.reason !== 'predecessor').map(({ data }) => data)
      expect([group, heads.length]).toEqual([group, 1])
      const oldest = Math.min(...list.filter(isSound).map(({ data }) => data.id))
      if (isSound({ data: heads[0]! })) expect([group, heads[0]!.id]).toEqual([group, oldest])
    }
  }
}

const isSound = ({ data }: Pick<Row, 'data'>): boolean => data.mood !== 'poison'
