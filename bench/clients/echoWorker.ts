/**
 * Registers functions that answer at once with a fixed result, and HTTP triggers for them.
 *
 *     bun echoWorker.ts '{"url":"ws://…","functionIds":["bench::echo"],"routes":[{"method":"POST","path":"/x"}]}'
 *
 * Prints `ready` when a call to the last function has come back, so when everything is registered.
 */
import { connectAnnounced, functionIdOf, idPrefix, idSuffix, invocationIdOf, RESULT } from './wire.ts'

export interface EchoOptions {
  url: string
  functionIds: string[]
  /** All routes lead to the first function. */
  routes: { method: string; path: string }[]
  /** The thread of the engine it connects to; any if absent. */
  thread?: number
}

const { url, functionIds, routes, thread } = JSON.parse(process.argv[2]!) as EchoOptions
const socket = await connectAnnounced(url, `bench-echo-${process.pid}`, thread)

socket.onmessage = ({ data }) => {
  const frame = data as string
  if (frame.includes('"invokefunction"')) {
    socket.send(
      `{"type":"invocationresult","invocation_id":"${invocationIdOf(frame)}","function_id":"${functionIdOf(frame)}","result":${RESULT}}`,
    )
  } else if (frame.includes('"invocationresult"')) {
    console.log('ready')
  } else if (frame.includes('"triggerregistrationresult"') && frame.includes('"error"')) {
    console.error(frame)
  }
}
// The engine is gone, and with it the reason to be here.
socket.onclose = () => process.exit(0)

for (const id of functionIds) socket.send(JSON.stringify({ type: 'registerfunction', id }))
for (const [at, { method, path }] of routes.entries()) {
  socket.send(
    JSON.stringify({
      type: 'registertrigger',
      id: `bench-route-${at}`,
      trigger_type: 'http',
      function_id: functionIds[0],
      config: { api_path: path, http_method: method },
    }),
  )
}
const id = idPrefix(0xffff_ffff) + idSuffix(0, 0)
socket.send(
  JSON.stringify({ type: 'invokefunction', invocation_id: id, function_id: functionIds.at(-1), data: {} }),
)
