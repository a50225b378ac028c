/**
 * Many workers that are connected, have announced themselves, and do nothing.
 *
 *     bun idleWorkers.ts '{"url":"ws://…","workers":10000}'
 *
 * Prints `ready` when each of them has had an answer, and stays until it is ended.
 */
import { announce, connect, idPrefix, idSuffix } from './wire.ts'

export interface IdleOptions {
  url: string
  workers: number
}

/** Connections under way at once: more would only wait in the kernel's queue. */
const AT_ONCE = 64

const { url, workers } = JSON.parse(process.argv[2]!) as IdleOptions
let next = 0

/** Resolves when the engine has answered a call behind the announce. */
async function join(at: number): Promise<void> {
  const socket = await connect(url)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.onmessage = ({ data }) => {
    if ((data as string).includes('"invocationresult"')) resolve()
  }
  socket.onclose = () => reject(new Error('the engine closed the connection'))
  announce(socket, `bench-idle-${process.pid}-${at}`)
  socket.send(
    JSON.stringify({
      type: 'invokefunction',
      invocation_id: idPrefix(at) + idSuffix(0, 0),
      function_id: 'bench::none',
      data: {},
    }),
  )
  await promise
  socket.onclose = () => {
    console.error('the engine closed an idle connection')
    process.exit(1)
  }
}

async function joinOneByOne(): Promise<void> {
  while (next < workers) await join(next++)
}

await Promise.all(Array.from({ length: AT_ONCE }, joinOneByOne))
console.log('ready')
setInterval(() => {}, 60_000)
