/** `stream`: one writer, and many clients that are told of every item; with and without a client that takes nothing. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LoopResult } from '../clients/closedLoop.ts'
import type { StreamOptions } from '../clients/streamClients.ts'
import type { BenchContext, Values } from '../context.ts'
import { startEngine } from '../engine.ts'
import { deliveryValues, perThread, planOf } from '../loopValues.ts'
import { runClient } from '../processes.ts'

export const streamShapes = [
  { name: 'stream-200', sockets: 200, stuck: 0, inFlight: 64, what: 'stream::set, 200 clients told' },
  {
    ...{ name: 'stream-200-stuck', sockets: 200, stuck: 1, inFlight: 64 },
    ...{ what: 'the same beside a client that never reads', peer: 'stream-200' },
  },
  { name: 'stream-2000', sockets: 2000, stuck: 0, inFlight: 16, what: 'stream::set, 2,000 clients told' },
] as const

export async function measureStream({ options, say, wanted, infos }: BenchContext): Promise<Values> {
  const chosen = streamShapes
    .filter(({ name }) =>
      infos.some(info => info.name.replace(/-[a-z0-9]+$/, '') === name && wanted(info.name)),
    )
    .map(shape => ({ ...shape, results: [] as LoopResult[] }))
  const folder = mkdtempSync(join(tmpdir(), 'iii-bench-stream-'))
  const engine = startEngine(options.engine, {
    workers: ['{ name: iii-stream, config: { port: 0 } }'],
    data: join(folder, 'data'),
  })
  try {
    const { workers: url, stream: streamUrl } = await engine.addresses
    if (streamUrl === undefined) throw new Error('the engine has no stream worker')
    const run = (sockets: number, stuck: number, inFlight: number) => {
      const plan = planOf(inFlight, options.seconds)
      const client: StreamOptions = { url, streamUrl, sockets, stuck, pid: engine.pid, plan }
      return runClient<LoopResult>('streamClients.ts', client)
    }
    for (const { sockets, inFlight } of chosen.slice(0, 1)) await run(sockets, 0, inFlight)
    for (let round = 1; round <= options.rounds; round++) {
      for (const { name, sockets, stuck, inFlight, results } of chosen) {
        const result = await run(sockets, stuck, inFlight)
        results.push(result)
        const rate = Math.round((result.answers * sockets) / result.seconds)
        say(`${name}, round ${round}: ${rate} deliveries/s${perThread(result, sockets)}`)
      }
    }
    return Object.assign(
      {},
      ...chosen.map(({ name, sockets, results }) => deliveryValues(name, sockets, results)),
    )
  } finally {
    await engine.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
