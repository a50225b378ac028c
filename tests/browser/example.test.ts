/** `examples/stream-page`, as a newcomer sees it: two tabs. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { type EngineProcess, startEngine } from '../support/engineProcess.ts'
import { until } from '../support/waiting.ts'
import { BROWSER_TEST_MS, leftOut, note, startChromium } from './chromium.ts'

const program = join(import.meta.dir, '../../examples/stream-page/worker.ts')

let engine: EngineProcess
let worker: Bun.Subprocess
let browser: Browser

beforeAll(async () => {
  engine = await startEngine({
    workers: ({ stream = 'ws://127.0.0.1:0' }) =>
      `  - name: iii-stream\n    config: { port: ${stream.split(':').at(-1)} }`,
  })
  worker = Bun.spawn([process.execPath, program], {
    env: { ...process.env, III_URL: engine.url, STREAM_URL: engine.addresses().stream! },
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'ignore',
  })
  await until('the page is served', async () => (await fetch(`${engine.http}/notes`)).ok)
  if (leftOut === undefined) browser = await startChromium()
}, BROWSER_TEST_MS)
afterAll(async () => {
  await browser?.close()
  worker?.kill('SIGKILL')
  await engine?.[Symbol.asyncDispose]()
})

test('a page, its program, and notes that have a text', async () => {
  const page = await fetch(`${engine.http}/notes`)
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(await page.text()).toContain(`url: '${engine.addresses().stream}'`)
  const script = await until('the program is served', async () => {
    const answer = await fetch(`${engine.http}/notes/follow.js`)
    return answer.ok && answer
  })
  expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
  for (const body of ['{}', 'null', '{"text":""}', '{"text":1}']) {
    const answer = await until('the route is there', async () => {
      const headers = { 'content-type': 'application/json' }
      const got = await fetch(`${engine.http}/notes`, { method: 'POST', headers, body })
      return got.status !== 404 && got.status !== 405 && got
    })
    expect(answer.status).toBe(400)
  }
})

describe.skipIf(leftOut !== undefined)(`two tabs in Chromium${note}`, () => {
  const open = async (): Promise<Page> => {
    const page = await browser.newPage()
    await page.goto(`${engine.http}/notes`)
    await page.getByText('connected', { exact: true }).waitFor()
    return page
  }
  const add = async (page: Page, text: string): Promise<void> => {
    await page.getByRole('textbox').fill(text)
    await page.getByRole('button').click()
  }

  test(
    'show each other’s notes, also after a restart of the engine',
    async () => {
      const [one, other] = [await open(), await open()]
      await add(one, '<b>tea</b>')
      await other.getByText('<b>tea</b>').waitFor()
      await engine.restart('SIGTERM')
      for (const page of [one, other]) await page.getByText('connected', { exact: true }).waitFor()
      await until('notes can be added again', async () => {
        const headers = { 'content-type': 'application/json' }
        return (await fetch(`${engine.http}/notes`, { method: 'POST', headers, body: '{"text":"milk"}' })).ok
      })
      for (const page of [one, other]) {
        await page.getByText('milk').waitFor()
        expect(await page.getByRole('listitem').allTextContents()).toEqual(['<b>tea</b>', 'milk'])
      }
    },
    BROWSER_TEST_MS,
  )
})
