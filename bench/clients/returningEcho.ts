/**
 * Answers calls at once with a fixed result, and comes back to the same thread when its connection is lost.
 *
 *     bun returningEcho.ts '{"url":"ws://…","functionId":"bench::echo","thread":1}'
 *
 * Prints `ready` when it is there for the first time.
 */
import { connectAnnounced, idPrefix, idSuffix, invocationIdOf, RESULT } from './wire.ts'

export interface ReturningEchoOptions {
  url: string
  functionId: string
  thread: number
}

const AGAIN_MS = 20

const { url, functionId, thread } = JSON.parse(process.argv[2]!) as ReturningEchoOptions

/** Resolves when the connection is lost. */
async function serve(): Promise<void> {
  const socket = await connectAnnounced(url, `bench-returning-${process.pid}`, thread)
  const { promise: lost, resolve } = Promise.withResolvers<void>()
  socket.onclose = () => resolve()
  socket.onmessage = ({ data }) => {
    const frame = data as string
    if (frame.includes('"invokefunction"')) {
      const id = invocationIdOf(frame)
      socket.send(
        `{"type":"invocationresult","invocation_id":"${id}","function_id":"${functionId}","result":${RESULT}}`,
      )
    } else if (frame.includes('"invocationresult"')) console.log('ready')
  }
  socket.send(JSON.stringify({ type: 'registerfunction', id: functionId }))
  const own = idPrefix(0xffff_ffff) + idSuffix(0, 0)
  socket.send(
    JSON.stringify({ type: 'invokefunction', invocation_id: own, function_id: functionId, data: {} }),
  )
  await lost
}

for (;;) {
  // Its thread may not be there yet.
  await serve().catch(() => Bun.sleep(AGAIN_MS))
}
