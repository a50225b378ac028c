/** What the pages of these tests load, from a server of the test. */
import { join } from 'node:path'

const root = join(import.meta.dir, '../..')

/** Programs for browsers, by the path at which a page imports them. */
const programs: Readonly<Record<string, string>> = {
  '/follow.js': 'examples/stream-page/follow.ts',
  '/sdk.js': 'sdk/typescript/src/mod.ts',
}

async function bundle(path: string): Promise<string> {
  const built = await Bun.build({ entrypoints: [join(root, path)], target: 'browser' })
  return await built.outputs[0]!.text()
}

const empty = '<!doctype html><meta charset="utf-8"><title>test</title><ul></ul>'

export interface Pages extends AsyncDisposable {
  readonly port: number
  /** Of an empty page on this machine, which may import the programs. */
  readonly url: string
}

export function servePages(): Pages {
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const program = programs[new URL(request.url).pathname]
      return program === undefined
        ? new Response(empty, { headers: { 'content-type': 'text/html' } })
        : new Response(await bundle(program), { headers: { 'content-type': 'text/javascript' } })
    },
  })
  return {
    port: server.port!,
    url: `http://127.0.0.1:${server.port}/`,
    [Symbol.asyncDispose]: () => server.stop(true),
  }
}
