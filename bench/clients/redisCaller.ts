/**
 * The peer of the state: the same loop with Redis and Bun's own client, which joins commands by itself.
 *
 *     bun redisCaller.ts '{"url":"redis://127.0.0.1:6379","command":"set","pid":123,"plan":{…}}'
 */
import { RedisClient } from 'bun'
import { cpuSeconds } from '../procfs.ts'
import { createLoop, type LoopPlan } from './closedLoop.ts'
import { REQUEST } from './wire.ts'
import { KEYS, keyOf } from './works.ts'

export interface RedisCallerOptions {
  url: string
  command: 'set' | 'get'
  /** Process whose CPU time is read. */
  pid: number
  plan: LoopPlan
}

const { url, command, pid, plan } = JSON.parse(process.argv[2]!) as RedisCallerOptions
const client = new RedisClient(url)
await client.connect()
const keys = Array.from({ length: KEYS }, (_, number) => keyOf(number))
const expected = command === 'set' ? 'OK' : REQUEST

const loop = createLoop(plan, {
  send(place, call) {
    const key = keys[call % KEYS]!
    const answer = command === 'set' ? client.set(key, REQUEST) : client.get(key)
    answer.then(
      value => loop.answered(place, call, value === expected),
      // No answer: the loop finds it missing.
      () => {},
    )
  },
  cpuSeconds: () => cpuSeconds(pid),
})

console.log(JSON.stringify(await loop.run()))
process.exit(0)
