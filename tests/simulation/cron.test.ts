/**
 * Schedules, with everything that can happen to them: time passes, clocks are set, functions fail or hang, disks fail, triggers come and go, and
 * the engine is killed again and again. A real worker on a virtual clock; what it does is held against a list of what it was seen to do.
 *
 *     III_TEST_SEED=123 bun test tests/simulation/cron          one run, as it was when its seed was printed
 *     III_CRON_SEEDS=10000 bun test tests/simulation/cron       more of them
 */
import { expect, test } from 'bun:test'
import { NO_RUNS, runsOf } from '../../workers/cron/history.ts'
import { createRandom, type Random } from '../support/random.ts'
import type { Message } from '../support/world.ts'
import { type CronWorld, createCron, historyOf, keepingStore } from '../workers/cron/support.ts'

const SEED = process.env.III_TEST_SEED
const SEEDS = Number(process.env.III_CRON_SEEDS ?? 40)
const MINUTE = 60_000
const START = Date.parse('2026-05-01T00:00:30Z')
const STEPS = 60

const SCHEDULES = {
  left: { expression: '* * * * *', name: 'left' },
  queued: { expression: '* * * * *', name: 'queued', overlap: 'queue', misfire: 'once' },
  every: { expression: '* * * * *', name: 'every', overlap: 'parallel', misfire: 'all', misfire_limit: 1000 },
  often: { expression: '0-8/2 * * * * *', name: 'often', misfire: 'all', misfire_limit: 1000 },
  again: { expression: '*/3 * * * *', name: 'again', retry: { max: 2, backoff_ms: 5000 }, misfire: 'all' },
  latest: {
    expression: '*/2 * * * *',
    name: 'latest',
    overlap: 'cancel_previous',
    retry: { max: 1, backoff_ms: 90_000 },
  },
} as const
type Name = keyof typeof SCHEDULES
const NAMES = Object.keys(SCHEDULES) as Name[]
const MOST_ATTEMPTS: Record<Name, number> = { left: 1, queued: 1, every: 1, often: 1, again: 3, latest: 2 }
const EACH: Record<Name, number> = { left: 1, queued: 1, every: 1, often: 1 / 30, again: 3, latest: 2 }

interface Seen {
  readonly name: Name
  readonly scheduledMs: number
  readonly attempt: number
}

/** `isCalm`: nothing but kills and hanging functions, so that nothing at all may be left out. */
async function run(seed: number, isCalm: boolean): Promise<void> {
  const random: Random = createRandom(seed)
  const chance = (one: number): boolean => random.between(0, one) === 0
  const { told: disk, store, records } = keepingStore()
  const called = new Set<string>()
  /** Of the engine that runs: calls that were not answered. */
  let open: { readonly seen: Seen; readonly call: Message }[] = []
  const interrupted: Seen[] = []
  /** Instants of `often` at which no engine was there. */
  const missed: number[] = []
  const failures = new Set<string>()
  let now = START
  let kills = 0
  const paused = new Set<Name>()
  let world = await begin()
  let bound = new Set<Name>()
  await bindAll()

  const keyOf = ({ name, scheduledMs, attempt }: Seen): string => `${name} ${scheduledMs} ${attempt}`

  function begin(): Promise<CronWorld> {
    return createCron({ store, start: new Date(now).toISOString() })
  }

  async function bindAll(): Promise<void> {
    for (const name of NAMES) if (!bound.has(name)) await bindOne(name)
  }

  async function bindOne(name: Name): Promise<void> {
    bound.add(name)
    expect(await world.bind(`${name}-${kills}`, SCHEDULES[name])).toBeUndefined()
    look()
  }

  /** What was called, against what may be. */
  function look(): void {
    for (const call of world.take()) {
      const { name, scheduled_time, attempt } = call.data as {
        name: Name
        scheduled_time: string
        attempt: number
      }
      const seen: Seen = { name, scheduledMs: Date.parse(scheduled_time), attempt }
      const key = keyOf(seen)
      expect(called.has(key)).toBe(false)
      called.add(key)
      expect(seen.scheduledMs % (EACH[name] * MINUTE)).toBe(0)
      if (isCalm) expect(seen.scheduledMs).toBeLessThanOrEqual(now)
      expect(attempt).toBeLessThanOrEqual(MOST_ATTEMPTS[name])
      if (attempt > 1) expect(failures.has(keyOf({ ...seen, attempt: attempt - 1 }))).toBe(true)
      // On disk before it was called.
      const claim = runsOf(records.get(name)?.runs ?? NO_RUNS).find(
        each => each.scheduledMs === seen.scheduledMs && (each.attempt ?? 1) === attempt,
      )
      // The next one may have come since.
      expect(name === 'latest' ? ['running', 'cancelled'] : ['running']).toContain(claim?.outcome ?? 'none')
      if (name === 'latest') open = open.filter(each => each.seen.name !== name)
      const others = open.filter(each => each.seen.name === name).length
      if (name !== 'every') expect(others).toBe(0)
      // One that was tried again may have been begun before it was paused.
      if (paused.has(name) && attempt === 1) throw new Error(`${key} was called while it was paused`)
      open.push({ seen, call })
    }
  }

  async function pass(seconds: number): Promise<void> {
    for (let left = seconds; left > 0; ) {
      const step = Math.min(left, 1 + random.between(0, 8))
      left -= step
      now += step * 1000
      await world.pass(step)
      look()
    }
  }

  async function answer(): Promise<void> {
    const [taken] = open.splice(random.between(0, open.length), 1)
    if (taken === undefined) return
    const fails = chance(3)
    if (fails) failures.add(keyOf(taken.seen))
    const error = { error: { code: 'nope', message: 'not today' } }
    await world.answer(taken.call, fails ? error : { result: null })
    look()
  }

  /** Killed: what is on disk is all that is left. */
  async function kill(): Promise<void> {
    kills++
    disk.failing = false
    // What was told to the disk and did not reach it yet is lost with the engine.
    for (const { name, runs } of records.values())
      for (const each of runs.recent.filter(({ outcome }) => outcome === 'running')) {
        const seen: Seen = { name: name as Name, scheduledMs: each.scheduledMs, attempt: each.attempt ?? 1 }
        interrupted.push(seen)
        failures.add(keyOf(seen))
      }
    open = []
    const before = now
    now += 1000 * random.between(0, isCalm ? (chance(3) ? 12 : 600) : 7200)
    for (let at = (Math.floor(before / 2000) + 1) * 2000; at <= now; at += 2000)
      if (at % MINUTE < 10_000) missed.push(at)
    world = await begin()
    bound = new Set()
    await bindAll()
    if (!isCalm) return
    // None of them came while a run was under way.
    for (const name of NAMES)
      for (const row of await historyOf(world, name)) {
        const [instant, outcome] = row.split(' ')
        const at = Date.parse(`${new Date(now).toISOString().slice(0, 11)}${instant}Z`)
        if (outcome === 'overlap') expect([name, row, at > before && at <= now]).toEqual([name, row, false])
      }
  }

  async function step(): Promise<void> {
    if (chance(8)) return kill()
    if (chance(2)) return answer()
    if (isCalm || chance(2)) return pass(random.between(1, 150))
    const name = NAMES[random.between(0, NAMES.length)]!
    switch (random.between(0, 4)) {
      case 0: {
        now += 1000 * random.between(-7200, 7200)
        world.setWall(new Date(now).toISOString())
        await pass(2)
        return
      }
      case 1:
        disk.failing = !disk.failing
        return
      case 2: {
        if (bound.delete(name)) await world.unbind(`${name}-${kills}`)
        else await bindOne(name)
        return
      }
      case 3: {
        const isPaused = !paused.has(name)
        if (!bound.has(name) || disk.failing) return
        if (!isPaused) paused.delete(name)
        await world.done(isPaused ? 'pause' : 'resume', { id: name })
        if (isPaused) paused.add(name)
        look()
      }
    }
  }

  for (let count = 0; count < STEPS; count++) await step()
  if (!isCalm) return
  // Nothing was forgotten: each minute was called, or begun when the engine was killed, or waits for one that hangs.
  const waiting = (['every', 'often'] as const).flatMap(name =>
    (records.get(name)?.waiting ?? []).map(
      ({ scheduledMs, attempt = 1 }): Seen => ({ name, scheduledMs, attempt }),
    ),
  )
  const known = new Set([...called, ...[...interrupted, ...waiting].map(keyOf)])
  const isKnown = (name: Name, at: number): boolean => known.has(keyOf({ name, scheduledMs: at, attempt: 1 }))
  const forgotten = missed.filter(at => !isKnown('often', at)).map(at => new Date(at).toISOString())
  expect(forgotten).toEqual([])
  const last = Math.floor(now / MINUTE) * MINUTE
  for (let at = Math.ceil(START / MINUTE) * MINUTE; at < last; at += MINUTE)
    expect([new Date(at).toISOString(), isKnown('every', at)]).toEqual([new Date(at).toISOString(), true])
}

async function check(seed: number): Promise<void> {
  for (const isCalm of [true, false])
    await run(seed, isCalm).catch(error => {
      throw new Error(
        `seed ${seed}, ${isCalm ? 'calm' : 'with everything'}: ${(error as Error).message}\nRun it again with III_TEST_SEED=${seed}`,
        { cause: error },
      )
    })
}

test(
  'whatever happens, no attempt is called twice, each is on disk before, and none is forgotten',
  async () => {
    if (SEED !== undefined) return check(Number(SEED))
    const first = crypto.getRandomValues(new Uint32Array(1))[0]!
    for (let count = 0; count < SEEDS; count++) await check((first + count) >>> 0)
    console.log(`simulation of schedules: ${SEEDS} seeds from ${first} on`)
  },
  { timeout: 60_000 + SEEDS * 2000 },
)
