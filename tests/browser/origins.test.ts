/** From which pages a browser may connect; it is the browser that says where a page is from. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { type EngineProcess, startEngine } from '../support/engineProcess.ts'
import { BROWSER_TEST_MS, leftOut, note, startChromium } from './chromium.ts'
import { type Pages, servePages } from './pages.ts'

let browser: Browser
let pages: Pages
let engine: EngineProcess

beforeAll(async () => {
  if (leftOut !== undefined) return
  pages = servePages()
  engine = await startEngine({
    workers: `  - name: iii-stream
    config: { port: 0, allowed_origins: ["http://friend.example:${pages.port}"] }`,
  })
  browser = await startChromium()
}, BROWSER_TEST_MS)
afterAll(async () => {
  await browser?.close()
  await engine?.[Symbol.asyncDispose]()
  await pages?.[Symbol.asyncDispose]()
})

/** What becomes of a connection from a page of that host, or from one without an origin. */
async function connectFrom(host: string, to: string): Promise<string> {
  const page = await browser.newPage()
  await page.goto(host.startsWith('data:') ? host : `http://${host}:${pages.port}/`)
  const outcome = await page.evaluate(
    url =>
      new Promise<string>(resolve => {
        const socket = new WebSocket(url)
        socket.onopen = () => resolve('connected')
        socket.onclose = ({ code }) => resolve(`closed with ${code}`)
      }),
    to,
  )
  await page.close()
  return outcome
}

describe.skipIf(leftOut !== undefined)(`pages in Chromium${note}`, () => {
  test.each([
    ['127.0.0.1', 'connected'],
    ['localhost', 'connected'],
    ['friend.example', 'connected'],
    ['stranger.example', 'closed with 1006'],
    // Looks like an address of this machine at its beginning.
    ['127.0.0.1.example', 'closed with 1006'],
    ['data:text/html,no origin', 'closed with 1006'],
  ])('of %s, as clients of streams: %s', async (host, outcome) => {
    expect(await connectFrom(host, engine.addresses().stream!)).toBe(outcome)
  })

  test('of elsewhere are no workers, also when they may be clients of streams', async () => {
    expect(await connectFrom('127.0.0.1', engine.url)).toBe('connected')
    expect(await connectFrom('friend.example', engine.url)).toBe('closed with 1006')
    expect(await connectFrom('stranger.example', engine.url)).toBe('closed with 1006')
  })
})
