/** Facts on the pages that the code has, too: options, exit codes, HTTP failures, trigger events. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import * as sdk from '../../sdk/typescript/src/mod.ts'
import { exitCodes } from '../../src/cli/exitCodes.ts'
import { runCommandLine } from '../../src/cli/program.ts'
import { type ErrorEntry, errorCatalogue } from '../../src/protocol/errors.ts'
import { fakeTerminal } from '../cli/support.ts'
import { fencedBlocks, tableBelow } from './pageParts.ts'

const read = (name: string): Promise<string> => Bun.file(join(import.meta.dir, '../../docs', name)).text()

describe('docs/cli.md', async () => {
  const page = await read('cli.md')

  test.each([
    ['## `iii`: the engine', ['--help'], 9],
    ['## `iii trigger`: one call', ['trigger', '--help'], 9],
    ['## `iii status`: how the engine is', ['status', '--help'], 5],
  ])('names every option below "%s", and no other', async (heading, words, least) => {
    const terminal = fakeTerminal()
    await runCommandLine(words, terminal)
    const help = terminal
      .stdout()
      .split('\n')
      .filter(line => /^ {2}-/.test(line))
    const options = help.flatMap(line => line.slice(0, 25).match(/(?<![\w-])--?[a-z][a-z-]*/g) ?? [])
    const named = tableBelow(page, heading).flatMap(
      ([option]) => option!.match(/(?<![\w-])--?[a-z][a-z-]*/g) ?? [],
    )
    expect(options.length).toBeGreaterThanOrEqual(least)
    expect(named.sort()).toEqual(options.sort())
  })

  test('names every exit code', () => {
    const named = tableBelow(page, '## Exit codes').map(([code]) => Number(code))
    expect(named).toEqual(Object.values(exitCodes))
  })
})

describe('docs/http.md', async () => {
  const page = await read('http.md')
  const drawing = fencedBlocks(page, 'text').find(text => text.startsWith('request\n'))!

  test('draws every way in which a request fails, with its status', () => {
    const drawn = new Set<string>()
    for (const [, status, codes] of drawing.matchAll(/(\d{3}) ([A-Z_]+(?:, [A-Z_]+)*)/g)) {
      for (const code of codes!.split(', ')) drawn.add(`${status} ${code}`)
    }
    const failures = Object.entries<ErrorEntry>(errorCatalogue).flatMap(([code, { status }]) =>
      status === undefined ? [] : [`${status} ${code}`],
    )
    expect([...drawn].sort()).toEqual(failures.sort())
  })
})

describe('docs/sdk-typescript.md', async () => {
  const page = await read('sdk-typescript.md')

  test('names every member of the client, and no other', async () => {
    // Port 1 is nobody's; the client is only looked at.
    const client = sdk.registerWorker('ws://127.0.0.1:1', { reconnect: false })
    const named = tableBelow(page, '## `WorkerClient`').map(([member]) => /^`(\w+)\(/.exec(member!)?.[1])
    expect(named.sort()).toEqual(Object.keys(client).sort())
    await client.shutdown()
  })

  test('names everything the package exports', () => {
    expect(Object.keys(sdk).filter(name => !page.includes(name))).toEqual([])
  })
})

test('every error code that a page names is in the catalogue, or no code of ours', async () => {
  const known = new Set<string>(Object.keys(errorCatalogue))
  const pages = await Promise.all(
    ['http.md', 'getting-started.md', 'sdk-typescript.md', 'discovery.md'].map(read),
  )
  const named = pages.flatMap(page => page.match(/(?<=`)[A-Z]+(?:_[A-Z]+)+(?=`)/g) ?? [])
  const notCodes = /^(III_|OUT_OF_STOCK$|DEFAULT_ENGINE_URL$)/
  expect(named.filter(code => !known.has(code) && !notCodes.test(code))).toEqual([])
  expect(named).toContain('CONNECTION_LOST')
})
