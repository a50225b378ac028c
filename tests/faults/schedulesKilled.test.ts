/** An engine is killed while its schedules fire: after so many calls of one instant, while others of it are on their way. */
import { expect, test } from 'bun:test'
import { startEngine } from '../support/engineProcess.ts'
import { createRandom } from '../support/random.ts'
import { connectRaw, type RawClient } from '../support/rawClient.ts'
import { until } from '../support/waiting.ts'

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
