/**
 * A worker loses its connection and is back before the engine has noticed: the clean-up of the old connection must not
 * touch what the new one has registered.
 *
 *     worker ──╳  proxy ────── engine     the worker's side is closed, the engine's side is held open for a while
 *     worker ──── proxy ────── engine     the worker reconnects, reattaches and registers everything again
 *                 proxy ──╳    engine     only now does the engine see the old connection end
 */
import { describe, expect, test } from 'bun:test'
import { type EngineProcess, startEngine } from '../support/engineProcess.ts'
import { type CutProxy, startCutProxy } from '../support/proxy.ts'
import { createRandom, type Random } from '../support/random.ts'
import { connectRaw } from '../support/rawClient.ts'
import { until } from '../support/waiting.ts'
import { type ClientUnderTest, npmOnBun, npmOnNode, prepare, pypiClients } from './clients.ts'
import { startDriver } from './driver.ts'
import { startRawWorker } from './rawWorker.ts'
import { listed, PREPARE_MS, skipReason, untilKnown } from './scenarios/stage.ts'

const CUTS = 64
const LONGEST_HOLD_MS = 300
/** Time in which a cut can hit a worker that is just registering again. */
const LONGEST_REPLAY_MS = 15
const RACE_MS = 5 * 60_000

const NAME = 'racer'
const functions = ['one', 'two', 'three', 'four'].map(name => `race::${name}`)
const routes = ['two', 'four'].map(name => ({ path: `race/${name}`, functionId: `race::${name}` }))

interface Racer extends AsyncDisposable {
  readonly name: string
  readonly survivesLostReplay: boolean
}

/** Registers functions, HTTP routes, a trigger of another worker's type and a trigger type of its own. */
async function startClient(client: ClientUnderTest, url: string): Promise<Racer> {
  // Its telemetry has a connection of its own, which is not what is raced here.
  const driver = startDriver(await prepare(client), { OTEL_ENABLED: 'false' })
  const worker = await driver.connect(url, { name: NAME })
  await worker.provide('race::own')
  for (const functionId of functions)
    await worker.offer(functionId, functionId === 'race::one' ? 'echo' : 'page')
  for (const { path, functionId } of routes) {
    await worker.bind('http', functionId, { api_path: path, http_method: 'POST' })
  }
  await worker.bind('race::foreign', 'race::three', { n: 1 })
  const { name, survivesLostReplay } = client
  return { name, survivesLostReplay, [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose]() }
}

async function startWithoutSdk(url: string, random: Random): Promise<Racer> {
  const worker = await startRawWorker(url, {
    name: NAME,
    retryMs: () => random.between(1, 20),
    register(connection) {
      connection.send({ type: 'registertriggertype', id: 'race::own', description: 'of a test' })
      for (const functionId of functions)
        connection.serve(functionId, () => ({ result: { status_code: 201 } }))
      for (const { path, functionId } of routes) {
        const config = { api_path: path, http_method: 'POST' }
        const trigger = { id: path, trigger_type: 'http', function_id: functionId, config }
        connection.send({ type: 'registertrigger', ...trigger })
      }
      const trigger = { trigger_type: 'race::foreign', function_id: 'race::three', config: { n: 1 } }
      connection.send({ type: 'registertrigger', id: 'foreign', ...trigger })
    },
  })
  return { name: 'raw', survivesLostReplay: true, [Symbol.asyncDispose]: () => worker.stop() }
}

/** Sees the registrations from outside: over a connection of its own, and over HTTP. */
async function startWatcher(engine: EngineProcess) {
  const raw = await connectRaw(engine.url, { name: 'watcher' })
  raw.send({ type: 'registertriggertype', id: 'race::foreign', description: 'of a test' })
  const own = { trigger_type: 'race::own', function_id: 'race::one', config: {} }
  raw.send({ type: 'registertrigger', id: 'own', ...own })

  /** What the provider of `race::foreign` knows as bound. */
  function bound(): unknown[] {
    const ids = new Set<unknown>()
    for (const { type, id } of raw.waiting()) {
      if (type === 'registertrigger') ids.add(id)
      if (type === 'unregistertrigger') ids.delete(id)
    }
    return [...ids].sort()
  }

  const ask = async (path: string): Promise<number> =>
    (await fetch(`${engine.http}/${path}`, { method: 'POST' })).status

  return {
    raw,
    /** Everything of the worker that is registered now, and what the routes answer. */
    async registrations() {
      const functionRows = await listed(raw, 'functions', { prefix: 'race::' })
      const triggerRows = await listed(raw, 'registered-triggers')
      return {
        functions: functionRows.map(row => `${row.function_id} of ${row.worker_name}`),
        triggers: triggerRows
          .map(row => `${row.id}: ${row.trigger_type} -> ${row.function_id} ${JSON.stringify(row.config)}`)
          .sort(),
        bound: bound(),
        routes: await Promise.all(routes.map(({ path }) => ask(path))),
      }
    },
    [Symbol.asyncDispose]: () => raw[Symbol.asyncDispose](),
  }
}

/** Cuts the worker's connection and holds the engine's side open for a while. */
async function cutFor(proxy: CutProxy, holdMs: number): Promise<void> {
  const held = proxy.cut()
  await Bun.sleep(holdMs)
  await held.release()
}

async function untilBack(proxy: CutProxy, accepted: number): Promise<void> {
  await until('the worker connects again', () => proxy.accepted() > accepted)
}

type CutKind = (proxy: CutProxy, random: Random, back: () => Promise<unknown>) => Promise<void>

/** The engine's side ends at some time before, while or after the worker registers again. */
const cutAtRandom: CutKind = async (proxy, random) => {
  const accepted = proxy.accepted()
  const cut = cutFor(proxy, random.between(0, LONGEST_HOLD_MS))
  await untilBack(proxy, accepted)
  await cut
}

/** The engine's side does not end before the worker has everything back: it may not have to wait for that. */
const cutAndHold: CutKind = async (proxy, random, back) => {
  const held = proxy.cut()
  await Promise.all([back(), Bun.sleep(random.between(0, LONGEST_HOLD_MS))])
  await held.release()
}

/** The next connection is cut as well, while the worker registers over it. */
const cutTwice: CutKind = async (proxy, random) => {
  const accepted = proxy.accepted()
  const first = cutFor(proxy, random.between(0, LONGEST_HOLD_MS))
  await untilBack(proxy, accepted)
  await Bun.sleep(random.between(0, LONGEST_REPLAY_MS))
  const second = cutFor(proxy, random.between(0, LONGEST_HOLD_MS))
  await untilBack(proxy, accepted + 1)
  await Promise.all([first, second])
}

/** What all racers go through. */
async function race(start: (url: string, random: Random) => Promise<Racer>): Promise<void> {
  const random = createRandom()
  await using engine = await startEngine()
  await using proxy = await startCutProxy(engine.url)
  await using watcher = await startWatcher(engine)
  await using racer = await start(proxy.url, random)

  await untilKnown(watcher.raw, functions.at(-1)!)
  const complete = { functions: functions.length, triggers: routes.length + 2, bound: 1 }
  const before = await until('everything is registered', async () => {
    const { functions, triggers, bound, routes } = await watcher.registrations()
    const counts = { functions: functions.length, triggers: triggers.length, bound: bound.length }
    const answered = routes.every(status => status === 201)
    return Bun.deepEquals(counts, complete) && answered && { functions, triggers, bound, routes }
  })

  const back = () =>
    until('the registrations are those before the cut', async () =>
      Bun.deepEquals(await watcher.registrations(), before),
    )
  const kinds = [cutAtRandom, cutAndHold, cutAtRandom, racer.survivesLostReplay ? cutTwice : cutAndHold]
  for (let cut = 0; cut < CUTS; cut++) {
    try {
      await kinds[cut % kinds.length]!(proxy, random, back)
      await back()
      // A late clean-up would take something away again.
      await watcher.raw.settled()
      expect(await watcher.registrations()).toEqual(before)
    } catch (error) {
      console.error(`${racer.name}: cut ${cut + 1} of III_TEST_SEED=${random.seed}: ${error}`)
      console.error(`what the engine of this cut said:\n${engine.log()}`)
      expect(await watcher.registrations()).toEqual(before)
      throw error
    }
  }
}

describe(`after each of ${CUTS} cuts the registrations equal those before:`, () => {
  const raced: readonly ClientUnderTest[] = [npmOnBun, npmOnNode, ...pypiClients]
  for (const client of raced) {
    const reason = skipReason(client)
    const title = reason === undefined ? client.name : `${client.name} (left out: ${reason})`
    const raceTest = reason === undefined ? test.concurrent : test.skip
    raceTest(title, () => race(url => startClient(client, url)), PREPARE_MS + RACE_MS)
  }
  test.concurrent('a client without an SDK', () => race(startWithoutSdk), RACE_MS)
})

test('a worker whose connections end before it has read who it is on them is never refused its name', async () => {
  await using engine = await startEngine()
  await using first = await connectRaw(engine.url, { name: NAME })
  await first.settled()
  let unread = first
  // Each on a shard of its own, or not.
  for (let cut = 0; cut < 8; cut++) {
    const next = await connectRaw(engine.url, { name: NAME, reattach: first })
    await next.settled()
    await unread.closed
    unread = next
  }
  await unread.close()
})

test('a worker without a proof has its name as soon as the engine sees that nobody else has', async () => {
  await using engine = await startEngine()
  await using proxy = await startCutProxy(engine.url)
  for (let cut = 0; cut < 8; cut++) {
    const before = await connectRaw(proxy.url, { name: NAME })
    await before.settled()
    const held = proxy.cut()
    await before.closed
    const next = await connectRaw(engine.url, { name: NAME })
    next.serve('race::next', () => ({ result: cut }))
    next.send({ type: 'ping' })
    // A call would wait for the announce.
    await next.expect({ type: 'pong' })
    await held.release()
    expect(await next.call('race::next')).toMatchObject({ result: cut })
    await next.close()
  }
})
