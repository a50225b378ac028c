/** A page in a real browser follows a stream through the end of the engine, with the client of `examples/stream-page`. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import type { followGroup, StreamMessage } from '../../examples/stream-page/follow.ts'
import { registerWorker, type WorkerClient } from '../../sdk/typescript/src/mod.ts'
import { limits } from '../../src/protocol/limits.ts'
import { connect } from '../stream/support.ts'
import { type EngineProcess, startEngine } from '../support/engineProcess.ts'
import { createRandom } from '../support/random.ts'
import { until } from '../support/waiting.ts'
import { BROWSER_TEST_MS, leftOut, note, startChromium } from './chromium.ts'
import { type Pages, servePages } from './pages.ts'
import { startWriter } from './writer.ts'

const address = { stream_name: 'board', group_id: 'lobby' }

/** What a page keeps. */
interface Kept {
  /** Every message, in order. */
  readonly heard: { type: string; seq: number; id: string | null }[]
  /** When each connection stood and was lost, milliseconds since 1970. */
  readonly connections: { from: number; to?: number }[]
  /** Items, in order. */
  items: [id: string, data: unknown][]
}

let browser: Browser
let pages: Pages

beforeAll(async () => {
  if (leftOut !== undefined) return
  pages = servePages()
  browser = await startChromium()
}, BROWSER_TEST_MS)
afterAll(async () => {
  await browser?.close()
  await pages?.[Symbol.asyncDispose]()
})

/** On the same ports after each restart. */
const startOnShards = (shards: number): Promise<EngineProcess> =>
  startEngine({
    shape: ['--shards', String(shards), '--acceptor', 'kernel'],
    workers: ({ stream = 'ws://127.0.0.1:0' }) =>
      `  - name: iii-stream\n    config: { port: ${stream.split(':').at(-1)} }`,
  })

/** Opens a page that follows the group; resolves when it has its first sync. */
async function openPage(url: string): Promise<Page> {
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(pages.url)
  await page.evaluate(
    async ({ url, program }) => {
      const { followGroup: follow } = (await import(program)) as { followGroup: typeof followGroup }
      const kept: Kept = { heard: [], connections: [], items: [] }
      Object.assign(window, { kept })
      follow({
        url,
        streamName: 'board',
        groupId: 'lobby',
        changed: items => {
          kept.items = [...items]
        },
        connected: isConnected => {
          if (isConnected) kept.connections.push({ from: Date.now() })
          else kept.connections.at(-1)!.to ??= Date.now()
        },
        heard: ({ event: { type }, seq, id }: StreamMessage) => kept.heard.push({ type, seq, id }),
      })
    },
    { url, program: '/follow.js' },
  )
  await hasHeard(page, 1)
  return page
}

const keptBy = (page: Page): Promise<Kept> => page.evaluate(() => (window as unknown as { kept: Kept }).kept)

/** Resolves when the page has heard so many in all. */
const hasHeard = (page: Page, count: number): Promise<unknown> =>
  until(`${count} messages`, async () => (await keptBy(page)).heard.length >= count)

const hearsMore = async (page: Page, count: number): Promise<unknown> =>
  hasHeard(page, (await keptBy(page)).heard.length + count)

/** The engine goes and comes back, and is written to, before the page can return. */
async function restartWhileAway(
  page: Page,
  engine: EngineProcess,
  signal: 'SIGKILL' | 'SIGTERM',
  written: () => Promise<void>,
): Promise<void> {
  await engine.stop(signal)
  // Offline, a page is not told of the end of its connections.
  await until('the page knows', async () => (await keptBy(page)).connections.at(-1)!.to !== undefined)
  await page.context().setOffline(true)
  await engine.restart()
  await written()
  await page.context().setOffline(false)
}

/** What a client is told that was away since then: the changes that the engine keeps. */
async function changesSince(engine: EngineProcess, since: number, upTo: number): Promise<Kept['heard']> {
  const client = await connect(`${engine.addresses().stream}/`)
  client.join('feed', 'board', 'lobby', { since })
  await until('all changes are told', () => (client.messages.at(-1)?.seq ?? 0) >= upTo)
  client.close()
  return client.messages.map(({ event: { type }, seq, id }) => ({ type, seq, id }))
}

async function stored(worker: WorkerClient): Promise<Kept['items']> {
  const { items } = await worker.trigger<{ items: { id: string; data: unknown }[] }>({
    function_id: 'stream::list',
    payload: { ...address, with_ids: true },
  })
  return items.map(({ id, data }) => [id, data])
}

describe.skipIf(leftOut !== undefined)(`a page in Chromium${note}`, () => {
  test.each([0, 2])(
    'misses nothing when the engine is killed, and when it is stopped, with %i shards',
    async shards => {
      const random = createRandom()
      await using engine = await startOnShards(shards)
      const writer = startWriter(engine.url, address, random)
      await writer.writes(50)
      const page = await openPage(engine.addresses().stream!)
      await hearsMore(page, 100)
      await restartWhileAway(page, engine, 'SIGKILL', () => writer.writes(100))
      await hearsMore(page, 200)
      await restartWhileAway(page, engine, 'SIGTERM', () => writer.writes(100))
      await hearsMore(page, 200)
      await writer.stop()
      await writer.worker.trigger({
        function_id: 'stream::set',
        payload: { ...address, item_id: 'last', data: true },
      })
      await until('the page has the last item', async () =>
        (await keptBy(page)).items.some(([id]) => id === 'last'),
      )

      const { heard, items, connections } = await keptBy(page)
      const seed = `seed ${random.seed}`
      const [first, ...changes] = heard
      // One sync, at the beginning; then what happened, all of it and nothing twice.
      expect(first!.type, seed).toBe('sync')
      expect(changes, seed).toEqual(await changesSince(engine, first!.seq, changes.at(-1)!.seq))
      // What was acknowledged is among it.
      const seen = new Set(changes.map(({ seq }) => seq))
      const after = writer.acknowledged.filter(({ seq }) => seq > first!.seq)
      expect(
        after.filter(({ seq }) => !seen.has(seq)),
        seed,
      ).toEqual([])
      // It was away each time while others wrote.
      expect(connections, seed).toHaveLength(3)
      for (const [index, { to }] of connections.slice(0, 2).entries()) {
        const { from } = connections[index + 1]!
        const written = after.filter(({ at }) => at > to! && at < from)
        expect(written.length, seed).toBeGreaterThanOrEqual(100)
      }
      // And what it shows is what is stored.
      expect(items, seed).toEqual(await stored(writer.worker))
      await page.context().close()
      await writer.worker.shutdown()
    },
    BROWSER_TEST_MS,
  )

  test(
    'gets everything anew when it was away for longer than is told again',
    async () => {
      await using engine = await startOnShards(0)
      const worker = registerWorker(engine.url, {
        reconnectionConfig: { initialDelayMs: 20, maxDelayMs: 50 },
      })
      const set = (id: number): Promise<unknown> =>
        worker.trigger({
          function_id: 'stream::set',
          payload: { ...address, item_id: String(id), data: id },
        })
      await set(0)
      const page = await openPage(engine.addresses().stream!)
      await restartWhileAway(page, engine, 'SIGKILL', async () => {
        for (let written = 0; written <= limits.streamReplayEvents; written += 500)
          await Promise.all(Array.from({ length: 500 }, (_, index) => set(index % 50)))
      })
      await hasHeard(page, 2)
      const { heard, items } = await keptBy(page)
      expect(heard.map(({ type }) => type)).toEqual(['sync', 'sync'])
      expect(items).toEqual(await stored(worker))
      await page.context().close()
      await worker.shutdown()
    },
    BROWSER_TEST_MS,
  )
})
