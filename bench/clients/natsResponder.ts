/** The answering side of the NATS peer: `bun natsResponder.ts HOST:PORT SUBJECT`. Prints `ready` when it is subscribed. */
import { connect } from '@nats-io/transport-node'
import { RESULT } from './wire.ts'

const [servers, subject] = process.argv.slice(2)
const FIRST_TRY_AGAIN_MS = 20

// The server may still be starting.
const connection = await connect({
  servers: servers!,
  waitOnFirstConnect: true,
  reconnectTimeWait: FIRST_TRY_AGAIN_MS,
})
connection.subscribe(subject!, { callback: (_error, message) => void message.respond(RESULT) })
await connection.flush()
console.log('ready')
await connection.closed()
process.exit(0)
