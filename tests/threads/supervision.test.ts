/** A shard that comes to grief, and everybody else: real engines, real connections. */
import { describe, expect, test } from 'bun:test'
import type { RawClient } from '../support/rawClient.ts'
import { until, within } from '../support/waiting.ts'
import { type Attack, type AttackedEngine, startAttackedEngine } from './attack/engine.ts'

const PATIENT_MS = 60_000

/** One request on a connection of its own: the kernel chooses a shard anew. */
async function get(engine: AttackedEngine, path: string): Promise<number> {
  const response = await fetch(`${engine.http}${path}`, {
    headers: { connection: 'close' },
    keepalive: false,
  })
  await response.arrayBuffer()
  return response.status
}

function echoOn(worker: RawClient, id: string, path: string): void {
  worker.serve(id, ({ data }) => ({ result: data }))
  worker.send({
    type: 'registertrigger',
    id: `route of ${id}`,
    trigger_type: 'http',
    function_id: id,
    config: { api_path: path, http_method: 'GET' },
  })
}

describe('a shard that', () => {
  test.each<[string, Attack]>([
    ['throws', 'throw'],
    ['rejects a promise that nobody awaits', 'reject'],
    ['cannot have the memory it asks for', 'allocate'],
    ['exits', 'exit'],
    ['does not come back', 'loop'],
  ])(
    '%s is replaced: its workers have left and come back, the others notice nothing',
    async (_, attack) => {
      await using engine = await startAttackedEngine(2, { silentShardMs: 2000 })
      await using victim = await engine.connectOn(1, { name: 'victim' })
      await using standing = await engine.connectOn(2, { name: 'standing' })
      await using caller = await engine.connectOn(2)
      victim.send({ type: 'registerfunction', id: 'victim::silent' })
      echoOn(victim, 'victim::echo', 'victim')
      echoOn(standing, 'standing::echo', 'standing')
      await Promise.all([victim.settled(), standing.settled()])

      const stopped = caller.call('victim::silent', {}, { withinMs: PATIENT_MS })
      await victim.expect({ type: 'invokefunction', function_id: 'victim::silent' })
      await engine.attack(1, attack)
      // Calls between those that stand are answered all the time.
      let isOver = false
      const over = victim.closed.then(() => {
        isOver = true
      })
      let answered = 0
      while (!isOver || answered < 20) {
        expect(await caller.call('standing::echo', { answered })).toMatchObject({ result: { answered } })
        answered++
      }
      await over
      expect((await stopped).error?.code).toBe('invocation_stopped')
      expect((await caller.call('victim::echo')).error?.code).toBe('function_not_found')

      // It comes back as the same worker, wherever it is accepted.
      await using again = await engine.connectOn(1, { name: 'victim', reattach: victim })
      echoOn(again, 'victim::echo', 'victim')
      await again.settled()
      expect(await caller.call('victim::echo', { n: 1 })).toMatchObject({ result: { n: 1 } })
      expect(engine.losses()).toBe(1)

      // Each shard has the routes, that of the worker on the other one, too.
      const paths = Array.from({ length: 40 }, (_, index) => (index % 2 ? '/victim' : '/standing'))
      expect(new Set(await Promise.all(paths.map(path => get(engine, path))))).toEqual(new Set([200]))
      expect(await engine.stop()).toBe(0)
    },
    PATIENT_MS,
  )
})

test(
  'http requests that come while a shard is replaced are served by the others, and by the new one from its first',
  async () => {
    await using engine = await startAttackedEngine(2)
    await using worker = await engine.connectOn(2)
    echoOn(worker, 'standing::echo', 'standing')
    await worker.settled()
    const statuses: number[] = []
    /** Connections that the kernel gave to the shard that was lost. */
    let cut = 0
    let isOver = false
    const visitors = Array.from({ length: 8 }, async () => {
      while (!isOver) {
        await get(engine, '/standing').then(
          status => statuses.push(status),
          () => cut++,
        )
      }
    })
    await engine.attack(1, 'throw')
    await until('it is lost', () => engine.losses() === 1)
    await using _replaced = await engine.connectOn(1)
    isOver = true
    await Promise.all(visitors)
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(cut).toBeLessThan(statuses.length / 4)
    expect(await engine.stop()).toBe(0)
  },
  PATIENT_MS,
)

const lostOrNotReplaced = (log: string): number =>
  log.split(/a shard is lost|a shard could not be replaced/).length - 1

test(
  'an engine whose shards are lost again and again ends with code 1 and says what to do',
  async () => {
    await using engine = await startAttackedEngine(2, { shardLosses: 2, shardPauseMs: 10 })
    for (let losses = 1; losses <= 3; losses++) {
      await until('the shard is attacked', () => engine.attack(2, 'throw').then(() => true))
      // It may have been hit while it served, or before: both count.
      await until('it is lost', () => lostOrNotReplaced(engine.log()) >= losses)
    }
    expect(await within('the engine ends', engine.exited())).toBe(1)
    expect(engine.log()).toContain('shards were lost 3 times within 60 s')
    expect(engine.log()).toContain('shards_lost')
    // Each error is there to be looked at.
    expect(engine.log().split('a test asked for this').length).toBeGreaterThanOrEqual(3)
  },
  PATIENT_MS,
)

test(
  'a shard that is lost while the engine drains does not hold it up',
  async () => {
    await using engine = await startAttackedEngine(2)
    await using victim = await engine.connectOn(1)
    await using caller = await engine.connectOn(2)
    victim.send({ type: 'registerfunction', id: 'victim::silent' })
    victim.serve('victim::echo', ({ data }) => ({ result: data }))
    await victim.settled()
    const stopped = caller.call('victim::silent')
    await victim.expect({ type: 'invokefunction', function_id: 'victim::silent' })
    const ended = engine.stop()
    const isRefused = async (): Promise<boolean> =>
      (await caller.call('victim::echo')).error?.code === 'engine_stopping'
    await until('it drains', isRefused)
    await engine.attack(1, 'throw')
    expect((await stopped).error?.code).toBe('invocation_stopped')
    expect(await ended).toBe(0)
  },
  PATIENT_MS,
)
