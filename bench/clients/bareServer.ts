/**
 * The HTTP peer: `Bun.serve` and nothing else. It reads the JSON body, as the engine's HTTP worker does, and answers the
 * same body in the same process; there is no router, no worker and no second socket. `bun bareServer.ts PORT` (0 = any
 * free one); prints its address.
 */
import { ANSWER_BODY } from './wire.ts'

const headers = { 'content-type': 'application/json' }

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  async fetch(request) {
    if (request.method === 'POST') await request.json()
    return new Response(ANSWER_BODY, { headers })
  },
})
console.log(`http://127.0.0.1:${server.port}`)
