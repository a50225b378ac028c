/**
 * The calling side of the NATS peer: the same loop as `caller.ts`, with request-reply of the NATS client.
 *
 *     bun natsCaller.ts '{"url":"127.0.0.1:4222","functionId":"<subject>","connections":1,"pid":123,"plan":{…}}'
 */
import { connect } from '@nats-io/transport-node'
import { cpuSeconds } from '../procfs.ts'
import type { CallerOptions } from './caller.ts'
import { createLoop } from './closedLoop.ts'
import { REQUEST, RESULT } from './wire.ts'

const { url, functionId, connections, pid, plan } = JSON.parse(process.argv[2]!) as CallerOptions
const clients = await Promise.all(Array.from({ length: connections }, () => connect({ servers: url })))
const timeout = plan.patienceMs * 2

const loop = createLoop(plan, {
  send(place, call) {
    clients[place % connections]!.request(functionId, REQUEST, { timeout }).then(
      message => loop.answered(place, call, message.string() === RESULT),
      // No answer: the loop finds it missing.
      () => {},
    )
  },
  cpuSeconds: () => cpuSeconds(pid),
})

console.log(JSON.stringify(await loop.run()))
process.exit(0)
