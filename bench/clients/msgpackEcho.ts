/**
 * Registers a function over the msgpack framing and answers its calls at once with a fixed result.
 *
 *     bun msgpackEcho.ts '{"url":"ws://…","functionId":"bench::echo"}'
 *
 * Prints `ready` when a call to it has come back.
 */
import { encodeMsgpack } from '../../src/protocol/msgpack/encode.ts'
import { CALL, RESULT as RESULT_KIND } from '../../src/protocol/msgpack/layout.ts'
import { writeAnswer, writeCall } from '../../src/protocol/msgpack/writeCall.ts'
import { appendFrame, connectAnnouncedMsgpack, frameOf, payloadOf } from './msgpackWire.ts'
import { RESULT } from './wire.ts'

export interface MsgpackEchoOptions {
  url: string
  functionId: string
  /** The thread of the engine it connects to; any if absent. */
  thread?: number
}

const { url, functionId, thread } = JSON.parse(process.argv[2]!) as MsgpackEchoOptions
const answer = frameOf(out => writeAnswer(out, RESULT_KIND, 0, payloadOf(RESULT)))

const name = `bench-msgpack-echo-${process.pid}`
const socket = await connectAnnouncedMsgpack(url, name, thread, ({ kind, callId }) => {
  if (kind === CALL) appendFrame(socket.out, answer, callId)
  else if (kind === RESULT_KIND) console.log('ready')
})
encodeMsgpack(socket.out, {
  type: 'registerfunction',
  id: functionId,
  description: undefined,
  requestFormat: undefined,
  responseFormat: undefined,
  metadata: undefined,
  invocation: undefined,
})
writeCall(socket.out, 65_536, functionId, undefined, payloadOf('{}'))
socket.flush()
