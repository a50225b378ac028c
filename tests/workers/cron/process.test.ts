/** The cron worker of a real engine: on its threads, killed and started again. */
import { expect, test } from 'bun:test'
import { startEngine } from '../../support/engineProcess.ts'
import { connectRaw, type RawClient } from '../../support/rawClient.ts'
import { until } from '../../support/waiting.ts'

const PATIENT_MS = 60_000

interface History {
  readonly runs: { readonly scheduled_time: string; readonly outcome: string; readonly reason?: string }[]
}

async function done<Result>(raw: RawClient, name: string, input: unknown): Promise<Result> {
  const { result, error } = await raw.call(`cron::${name}`, input)
  if (error !== undefined) throw new Error(`${error.code}: ${error.message}`)
  return result as Result
}

const EVERY_SECOND = { expression: '* * * * * *', name: 'tick', overlap: 'parallel', misfire: 'all' }

/** A worker whose function notes the instants it was called for. */
async function listen(url: string, fired: string[], config: object): Promise<RawClient> {
  const raw = await connectRaw(url)
  raw.serve('clock::tick', ({ data }) => {
    fired.push((data as { scheduled_time: string }).scheduled_time)
    return { result: null }
  })
  const trigger = { trigger_type: 'cron', function_id: 'clock::tick', config }
  raw.send({ type: 'registertrigger', id: crypto.randomUUID(), ...trigger })
  await raw.settled()
  return raw
}

test(
  'over a kill and a restart no instant fires twice, and none is forgotten',
  async () => {
    await using engine = await startEngine({ workers: '  - name: iii-cron' })
    const fired: string[] = []
    {
      await using _ = await listen(engine.url, fired, EVERY_SECOND)
      await until('it has fired twice', async () => fired.length >= 2)
    }
    await engine.restart('SIGKILL')
    const before = fired.length
    await using raw = await listen(engine.url, fired, EVERY_SECOND)
    await until('it has fired again', async () => fired.length >= before + 3)
    const { runs } = await done<History>(raw, 'history', { id: 'tick' })
    expect(new Set(fired).size).toBe(fired.length)
    // One that was begun when the engine was killed is known to have been.
    const begun = runs.filter(({ outcome }) => outcome === 'interrupted').map(run => run.scheduled_time)
    const known = new Set([...fired, ...begun])
    const seconds = [...known].map(time => Date.parse(time) / 1000).sort((one, other) => one - other)
    expect(seconds.at(-1)! - seconds[0]!).toBe(known.size - 1)
  },
  PATIENT_MS,
)

test(
  'a schedule that was paused is still paused after a kill',
  async () => {
    await using engine = await startEngine({ workers: '  - name: cron' })
    const fired: string[] = []
    {
      await using raw = await listen(engine.url, fired, EVERY_SECOND)
      expect(await done<unknown>(raw, 'pause', { id: 'tick' })).toEqual({ name: 'tick', paused: true })
    }
    await engine.restart('SIGKILL')
    await using raw = await listen(engine.url, fired, EVERY_SECOND)
    const { schedules } = await done<{ schedules: { paused: boolean }[] }>(raw, 'list', {})
    expect(schedules).toMatchObject([{ paused: true }])
    await until('a tick was left out', async () =>
      (await done<History>(raw, 'history', { id: 'tick' })).runs.some(({ reason }) => reason === 'paused'),
    )
  },
  PATIENT_MS,
)
