/** A real Chromium, without a window. Nothing is downloaded: it is the one of this machine. */
import { type Browser, chromium } from 'playwright-core'

const names = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'chromium-headless-shell',
]
const program = [process.env.CHROMIUM, ...names].find(
  name => name !== undefined && name !== '' && Bun.which(name) !== null,
)

/** Why these tests are left out; `undefined` when they are not. Where `CI` is set they fail instead. */
export const leftOut =
  program === undefined && !process.env.CI
    ? 'there is no chromium on PATH, and CHROMIUM names none'
    : undefined

/** For the name of a `describe`. */
export const note = leftOut === undefined ? '' : ` (left out: ${leftOut})`

/** Tests with a browser: it has to start, and the machine has other things to do. */
export const BROWSER_TEST_MS = 90_000

/** Hosts below `.example` are this machine to it, so that pages can come from elsewhere. */
export async function startChromium(): Promise<Browser> {
  if (program === undefined) throw new Error('there is no chromium on PATH, and CHROMIUM names none')
  return await chromium.launch({
    executablePath: Bun.which(program)!,
    args: ['--host-resolver-rules=MAP *.example 127.0.0.1'],
  })
}
