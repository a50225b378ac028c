/**
 * Whoever was told that something is registered can tell others, and they find it, on whichever shard they are; and
 * what is taken back is gone everywhere. Any worker, any shard, any order.
 */
import { expect, test } from 'bun:test'
import { startEngine } from '../support/engineProcess.ts'
import { createRandom } from '../support/random.ts'
import { connectRaw, type RawClient } from '../support/rawClient.ts'
import { acceptor, shards } from '../support/shape.ts'
import { startAttackedEngine } from './attack/engine.ts'

const SEED = Number(process.env.III_TEST_SEED ?? crypto.getRandomValues(new Uint32Array(1))[0])
const CLIENTS = 8
const STEPS = 600

interface Actor {
  readonly client: RawClient
  readonly functions: Set<string>
  readonly routes: Set<string>
}

test(`what is confirmed to one worker is there for all of them (III_TEST_SEED=${SEED})`, async () => {
  const random = createRandom(SEED)
  const shape = ['--shards', String(Math.max(2, shards)), '--acceptor', acceptor]
  await using engine = await startEngine({ shape })
  const connected = await Promise.all(Array.from({ length: CLIENTS }, () => connectRaw(engine.url)))
  const actors = connected.map((client, index): Actor => {
    // Registered or not: a call that comes is answered.
    client.serve(`own::${index}`, () => ({ result: index }))
    return { client, functions: new Set(), routes: new Set() }
  })
  const names = Array.from({ length: 12 }, (_, index) => `shared::${index}`)
  const any = <Item>(items: readonly Item[]): Item => items[random.between(0, items.length)]!

  async function toggleFunction(actor: Actor, name: string): Promise<void> {
    if (actors.some(other => other !== actor && other.functions.has(name))) return
    if (actor.functions.delete(name)) actor.client.send({ type: 'unregisterfunction', id: name })
    else {
      actor.functions.add(name)
      actor.client.serve(name, () => ({ result: name }))
    }
    await actor.client.settled()
  }

  async function toggleRoute(actor: Actor, name: string): Promise<void> {
    if (actors.some(other => other !== actor && other.routes.has(name))) return
    const id = `route ${name}`
    if (actor.routes.delete(name)) actor.client.send({ type: 'unregistertrigger', id })
    else {
      actor.routes.add(name)
      const config = { api_path: `/${name.replace('::', '/')}`, http_method: 'GET' }
      const index = actors.indexOf(actor)
      actor.client.send({
        type: 'registertrigger',
        id,
        trigger_type: 'http',
        function_id: `own::${index}`,
        config,
      })
    }
    await actor.client.settled()
  }

  const routedAt: string[] = []
  for (let step = 0; step < STEPS; step++) {
    const name = any(names)
    if (random.between(0, 3) === 0) {
      await toggleRoute(any(actors), name)
      const isRouted = actors.some(({ routes }) => routes.has(name))
      const response = await fetch(`${engine.http}/${name.replace('::', '/')}`, {
        headers: { connection: 'close' },
      })
      await response.arrayBuffer()
      // A route that was taken back may be served for a moment by a shard that has not been asked for another.
      if (isRouted) expect({ step, name, status: response.status }).toEqual({ step, name, status: 200 })
      routedAt.push(name)
    } else {
      await toggleFunction(any(actors), name)
      const isThere = actors.some(({ functions }) => functions.has(name))
      const { result, error } = await any(actors).client.call(name)
      const expected = isThere ? { result: name } : { code: 'function_not_found' }
      expect({ step, name, ...(error === undefined ? { result } : { code: error.code }) }).toEqual({
        step,
        name,
        ...expected,
      })
    }
  }
  expect(routedAt.length).toBeGreaterThan(STEPS / 10)
  await Promise.all(connected.map(client => client.close()))
}, 120_000)

test('also on a shard that was busy while everybody else was told', async () => {
  await using engine = await startAttackedEngine(2)
  await using writer = await engine.connectOn(1)
  await using reader = await engine.connectOn(2)
  await reader.settled()
  await engine.attack(2, 'busy')
  const answers: Promise<unknown>[] = []
  for (let index = 0; index < 200; index++) {
    const id = `written::${index}`
    writer.serve(id, () => ({ result: id }))
    const config = { api_path: `/written/${index}`, http_method: 'GET' }
    writer.send({ type: 'registertrigger', id, trigger_type: 'http', function_id: id, config })
    await writer.settled()
    const url = `${engine.http}/written/${index}`
    answers.push(
      reader.call(id).then(({ result, error }) => expect(error ?? result).toBe(id)),
      fetch(url, { headers: { connection: 'close' } }).then(({ status }) => expect(status).toBe(200)),
    )
  }
  await Promise.all(answers)
}, 60_000)
