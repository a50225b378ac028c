/** A page is a worker, with our SDK. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import type * as Sdk from '../../sdk/typescript/src/mod.ts'
import { registerWorker, type WorkerClient } from '../../sdk/typescript/src/mod.ts'
import { type EngineProcess, startEngine } from '../support/engineProcess.ts'
import { until } from '../support/waiting.ts'
import { BROWSER_TEST_MS, leftOut, note, startChromium } from './chromium.ts'
import { type Pages, servePages } from './pages.ts'

let browser: Browser
let pages: Pages
let engine: EngineProcess
let caller: WorkerClient

beforeAll(async () => {
  if (leftOut !== undefined) return
  pages = servePages()
  engine = await startEngine({
    workers:
      '  - name: iii-state\n    config: { adapter: { name: kv, config: { store_method: in_memory } } }',
  })
  caller = registerWorker(engine.url, {
    workerName: 'caller',
    reconnectionConfig: { initialDelayMs: 20, maxDelayMs: 50 },
  })
  browser = await startChromium()
}, BROWSER_TEST_MS)
afterAll(async () => {
  await caller?.shutdown()
  await browser?.close()
  await engine?.[Symbol.asyncDispose]()
  await pages?.[Symbol.asyncDispose]()
})

async function openWorker(framing: 'json' | 'msgpack', name: string): Promise<Page> {
  const page = await browser.newPage()
  await page.goto(pages.url)
  await page.evaluate(
    async ({ program, url, framing, name }) => {
      const sdk = (await import(program)) as typeof Sdk
      const worker = sdk.registerWorker(url, {
        workerName: name,
        framing,
        reconnectionConfig: { initialDelayMs: 20, maxDelayMs: 50 },
      })
      worker.registerFunction(`${name}::title`, ({ add }: { add: string }) => document.title + add)
      worker.registerFunction(`${name}::refuse`, () => {
        throw new sdk.HandlerError('NOT_TODAY', 'the page does not want to')
      })
      await worker.ready()
      Object.assign(window, { worker })
    },
    { program: '/sdk.js', url: engine.url, framing, name },
  )
  return page
}

describe.skipIf(leftOut !== undefined)(`a worker in Chromium${note}`, () => {
  test.each(['json', 'msgpack'] as const)(
    'calls, is called, and comes back after a restart, in %s',
    async framing => {
      const name = `page-${framing}`
      const page = await openWorker(framing, name)
      const call = (add: string): Promise<unknown> =>
        caller.trigger({ function_id: `${name}::title`, payload: { add } })

      expect(await until('its function is there', () => call('!'))).toBe('test!')
      await expect(caller.trigger({ function_id: `${name}::refuse` })).rejects.toMatchObject({
        code: 'NOT_TODAY',
      })
      const got = await page.evaluate(async scope => {
        const { worker } = window as unknown as { worker: WorkerClient }
        const value = { text: 'grüß 🌍', list: [1, null] }
        await worker.trigger({ function_id: 'state::set', payload: { scope, key: 'k', value } })
        return await worker.trigger({ function_id: 'state::get', payload: { scope, key: 'k' } })
      }, name)
      expect(got).toEqual({ text: 'grüß 🌍', list: [1, null] })
      const { workers } = await caller.trigger<{ workers: { name: string; runtime: string }[] }>({
        function_id: 'engine::workers::list',
        payload: { include_hidden: true },
      })
      expect(workers.find(each => each.name === name)?.runtime).toBe('browser')

      await engine.restart('SIGKILL')
      expect(await until('it is back', () => call('?'))).toBe('test?')
      await page.close()
      await until('it is gone with its page', () =>
        call('.')
          .then(() => false)
          .catch(() => true),
      )
    },
    BROWSER_TEST_MS,
  )
})
