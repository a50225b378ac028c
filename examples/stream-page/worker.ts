/** A page that shows a list, live: `GET /notes` answers it, `POST /notes` adds to the list, in every tab at once. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { registerWorker } from '../../sdk/typescript/src/mod.ts'

const read = (name: string): string => readFileSync(join(import.meta.dir, name), 'utf8')

/** Where the page finds the engine's streams. */
const streams = process.env.STREAM_URL ?? 'ws://127.0.0.1:3112'
const page = read('page.html').replace('ws://127.0.0.1:3112', streams)
/** A browser wants the text without its types. */
const script = new Bun.Transpiler({ loader: 'ts', target: 'browser' }).transformSync(read('follow.ts'))

const worker = registerWorker(process.env.III_URL, { workerName: 'notes' })

const text = (type: string, body: string) => ({
  status_code: 200,
  headers: { 'content-type': `${type}; charset=utf-8` },
  body,
})

worker.registerFunction('notes::page', () => text('text/html', page))
worker.registerFunction('notes::script', () => text('text/javascript', script))
worker.registerFunction('notes::add', async (request: { body?: { text?: unknown } | null }) => {
  const note = request.body?.text
  if (typeof note !== 'string' || note === '')
    return { status_code: 400, body: { error: 'a note has a text' } }
  const id = crypto.randomUUID()
  await worker.trigger({
    function_id: 'stream::set',
    payload: { stream_name: 'notes', group_id: 'all', item_id: id, data: { text: note } },
  })
  return { status_code: 201, body: { id } }
})

for (const [function_id, http_method, api_path] of [
  ['notes::page', 'GET', '/notes'],
  ['notes::script', 'GET', '/notes/follow.js'],
  ['notes::add', 'POST', '/notes'],
] as const)
  worker.registerTrigger({ type: 'http', function_id, config: { api_path, http_method } })
