/**
 * An engine is killed while its schedules fire: after so many calls of one instant, while others of it are on their way. And a worker is killed,
 * and comes back after some of its instants.
 */
import { expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEngine } from '../support/engineProcess.ts'
import { createRandom } from '../support/random.ts'
import { connectRaw, type RawClient } from '../support/rawClient.ts'
import { until } from '../support/waiting.ts'
import { SCHEDULES } from './scheduleWorker.ts'

/** A round takes a second or two: it waits for the clock. */
const ROUNDS = Math.ceil(Number(process.env.III_FAULT_ROUNDS ?? 200) / 40)
const PATIENT_MS = 60_000 + ROUNDS * 10_000
const EVERY_SECOND = { expression: '* * * * * *', misfire: 'all', misfire_limit: 1000 }
/** Of each kind, all of them at the same instants. */
const OF_A_KIND = 8

const KINDS = {
  once: { ...EVERY_SECOND, overlap: 'parallel' },
  again: { ...EVERY_SECOND, overlap: 'parallel', retry: { max: 50, backoff_ms: 1 } },
} as const
type Kind = keyof typeof KINDS
const NAMES = (Object.keys(KINDS) as Kind[]).flatMap(kind =>
  Array.from({ length: OF_A_KIND }, (_, number) => ({ kind, name: `${kind}-${number}` })),
)

interface Row {
  readonly scheduled_time: string
  readonly outcome: string
  readonly attempt?: number
}

test(
  'neither calls the same attempt twice nor forgets an instant, and what it interrupts it tells, or tries again',
  async () => {
    const random = createRandom()
    await using engine = await startEngine({ workers: '  - name: iii-cron' })
    /** `name instant attempt`, in the order of the calls. */
    const called: string[] = []
    const interrupted = new Set<string>()

    async function join(): Promise<RawClient> {
      const raw = await connectRaw(engine.url)
      raw.serve('clock::tick', ({ data }) => {
        const { name, scheduled_time, attempt } = data as {
          name: string
          scheduled_time: string
          attempt: number
        }
        called.push(`${name} ${scheduled_time} ${attempt}`)
        return { result: null }
      })
      for (const { kind, name } of NAMES)
        raw.send({
          type: 'registertrigger',
          id: crypto.randomUUID(),
          trigger_type: 'cron',
          function_id: 'clock::tick',
          config: { ...KINDS[kind], name },
        })
      await raw.settled()
      return raw
    }

    async function lookAtHistories(raw: RawClient): Promise<void> {
      for (const { name } of NAMES) {
        const { result, error } = await raw.call('cron::history', { id: name })
        expect(error).toBeUndefined()
        for (const { scheduled_time, outcome, attempt = 1 } of (result as { runs: Row[] }).runs)
          if (outcome === 'interrupted') interrupted.add(`${name} ${scheduled_time} ${attempt}`)
      }
    }

    for (let round = 0; round < ROUNDS; round++) {
      await using raw = await join()
      await lookAtHistories(raw)
      const enough = called.length + random.between(1, 3 * NAMES.length)
      await until('enough calls have come', async () => called.length >= enough)
      await engine.restart('SIGKILL')
    }
    await using raw = await join()
    await lookAtHistories(raw)
    const before = called.length
    await until('all fire again', async () => called.length >= before + 3 * NAMES.length)

    const about = `seed ${random.seed}`
    expect([about, called.length - new Set(called).size]).toEqual([about, 0])
    const known = new Set([...called, ...interrupted])
    for (const { kind, name } of NAMES) {
      const own = [...known].filter(key => key.startsWith(`${name} `)).map(key => key.split(' '))
      // No instant between the first and the last is missing.
      const seconds = [...new Set(own.map(([, time]) => Date.parse(time!) / 1000))].sort(
        (one, other) => one - other,
      )
      expect([about, name, seconds.at(-1)! - seconds[0]!]).toEqual([about, name, seconds.length - 1])
      for (const [, time, attempt] of own) {
        // An attempt follows another only where that was interrupted, and only where the trigger asks for it.
        if (attempt !== '1')
          expect([about, kind, interrupted.has(`${name} ${time} ${Number(attempt) - 1}`)]).toEqual([
            about,
            'again',
            true,
          ])
        if (kind === 'again' && interrupted.has(`${name} ${time} ${attempt}`))
          expect([about, name, time, known.has(`${name} ${time} ${Number(attempt) + 1}`)]).toEqual([
            about,
            name,
            time,
            true,
          ])
      }
    }
    console.log(
      `schedules ${about}: ${ROUNDS} kills, ${called.length} calls, ${interrupted.size} interrupted`,
    )
  },
  PATIENT_MS,
)

interface LeftOut extends Row {
  readonly reason?: string
}

interface Absence {
  readonly name: string
  readonly state: string
}

/** Journalled calls, `name milliseconds`. */
const journalled = (path: string): string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1)

for (const isEngineKilled of [false, true])
  test(
    `a worker that is killed, ${isEngineKilled ? 'and the engine with it, ' : ''}makes up for all that it missed, and no overlap is to blame`,
    async () => {
      await using engine = await startEngine({ workers: '  - name: iii-cron' })
      const folder = mkdtempSync(join(tmpdir(), 'iii-schedules-'))
      using _ = { [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
      const journal = join(folder, 'journal')
      writeFileSync(journal, '')
      const start = () =>
        Bun.spawn([process.execPath, join(import.meta.dir, 'scheduleWorker.ts'), engine.url, journal], {
          stdio: ['ignore', 'ignore', 'inherit'],
        })
      let raw = await connectRaw(engine.url)
      const states = async (): Promise<string[]> =>
        ((await raw.call('cron::list')).result as { schedules: Absence[] }).schedules.map(
          ({ state }) => state,
        )
      let worker = start()
      try {
        await until('all have fired', async () => journalled(journal).length >= 2 * SCHEDULES.length)
        worker.kill('SIGKILL')
        await worker.exited
        if (isEngineKilled) {
          await engine.restart('SIGKILL')
          await raw[Symbol.asyncDispose]()
          raw = await connectRaw(engine.url)
        }
        await until('all are known to be away', async () =>
          (await states()).every(state => state === 'no_worker'),
        )
        expect(await states()).toHaveLength(SCHEDULES.length)
        const from = Math.ceil(Date.now() / 1000) * 1000
        await until('four instants have come', async () => Date.now() > from + 4000)
        const to = Date.now()
        worker = start()
        const own = (name: string): number[] =>
          journalled(journal)
            .filter(line => line.startsWith(`${name} `))
            .map(line => Number(line.split(' ')[1]))
        for (const { name } of SCHEDULES) {
          await until(`${name} fires at instants of now`, async () => own(name).some(instant => instant > to))
          await until(`${name} has made up for the gap`, async () => own(name).includes(from + 4000))
          const made = own(name).filter(instant => instant >= from && instant <= from + 4000)
          expect([name, made.map(instant => (instant - from) / 1000)]).toEqual([name, [0, 1, 2, 3, 4]])
          expect(new Set(own(name)).size).toBe(own(name).length)
          const { runs } = (await raw.call('cron::history', { id: name })).result as { runs: LeftOut[] }
          const blamed = runs.filter(({ reason, scheduled_time }) => {
            const instant = Date.parse(scheduled_time)
            return reason === 'overlap' && instant >= from && instant <= to
          })
          expect(blamed).toEqual([])
        }
      } finally {
        worker.kill('SIGKILL')
        await worker.exited
        await raw[Symbol.asyncDispose]()
      }
    },
    PATIENT_MS,
  )
