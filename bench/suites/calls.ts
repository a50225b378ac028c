/** `calls`, `calls-msgpack` and `nats`: closed-loop calls through the engine in both framings, and request-reply through NATS, in turn. */
import type { CallerOptions } from '../clients/caller.ts'
import type { LoopPlan, LoopResult } from '../clients/closedLoop.ts'
import type { BenchContext, Values } from '../context.ts'
import { startEngine } from '../engine.ts'
import { createHistogram, median } from '../histogram.ts'
import { clientPath, freePort, runClient, start } from '../processes.ts'
import { findTool } from '../tools.ts'

export const callMeasures = ['rate', 'p50', 'p99', 'cpu', 'lost'] as const

interface Contestant {
  readonly name: 'calls' | 'calls-msgpack' | 'nats'
  readonly client: string
  readonly target: Pick<CallerOptions, 'url' | 'functionId' | 'pid'>
  stop(): Promise<void>
}

const FUNCTION_ID = 'bench::echo'
const WARM_UP_MS = 1000
const PATIENCE_MS = 5000

/** Each framing has an engine of its own, so that neither sees what the other does to it. */
async function engineContestant(entry: string, name: 'calls' | 'calls-msgpack'): Promise<Contestant> {
  const engine = startEngine(entry)
  const { workers: url } = await engine.addresses
  const worker = start([
    process.execPath,
    clientPath(name === 'calls' ? 'echoWorker.ts' : 'msgpackEcho.ts'),
    JSON.stringify(
      name === 'calls' ? { url, functionIds: [FUNCTION_ID], routes: [] } : { url, functionId: FUNCTION_ID },
    ),
  ])
  await worker.firstLine
  return {
    name,
    client: name === 'calls' ? 'caller.ts' : 'msgpackCaller.ts',
    target: { url, functionId: FUNCTION_ID, pid: engine.pid },
    async stop() {
      await worker.stop()
      await engine.stop()
    },
  }
}

async function natsContestant(program: string): Promise<Contestant> {
  const port = await freePort()
  const url = `127.0.0.1:${port}`
  const server = start([program, '--addr', '127.0.0.1', '--port', String(port)])
  const responder = start([process.execPath, clientPath('natsResponder.ts'), url, FUNCTION_ID])
  await responder.firstLine
  return {
    name: 'nats',
    client: 'natsCaller.ts',
    target: { url, functionId: FUNCTION_ID, pid: server.pid },
    async stop() {
      await responder.stop()
      await server.stop()
    },
  }
}

function valuesOf(name: string, level: number, results: LoopResult[]): Values {
  const quantile = (q: number): number =>
    median(results.map(({ latencies }) => createHistogram(latencies).quantile(q))) * 1000
  const cpu = results.map(({ cpuSeconds, answers }) => ((cpuSeconds ?? Number.NaN) / answers) * 1e6)
  const sum = (of: (result: LoopResult) => number): number =>
    results.reduce((total, result) => total + of(result), 0)
  return {
    [`${name}-${level}-rate`]: median(results.map(({ answers, seconds }) => answers / seconds)),
    [`${name}-${level}-p50`]: quantile(0.5),
    [`${name}-${level}-p99`]: quantile(0.99),
    [`${name}-${level}-cpu`]: median(cpu),
    [`${name}-${level}-lost`]: sum(({ lost, unexpected, wrong }) => lost + unexpected + wrong),
  }
}

function runOnce({ client, target }: Contestant, inFlight: number, seconds: number): Promise<LoopResult> {
  const plan: LoopPlan = {
    inFlight,
    warmUpMs: Math.min(WARM_UP_MS, seconds * 1000),
    measureMs: seconds * 1000,
    patienceMs: PATIENCE_MS,
  }
  const options: CallerOptions = { ...target, connections: 1, plan }
  return runClient<LoopResult>(client, options)
}

export async function measureCalls({ options, say, wanted }: BenchContext): Promise<Values> {
  const wantedLevel = (name: Contestant['name']) => (level: number) =>
    callMeasures.some(measure => wanted(`${name}-${level}-${measure}`))
  const isWanted = (name: Contestant['name']): boolean => options.inFlight.some(wantedLevel(name))
  const nats = isWanted('nats') ? findTool('nats-server', 'the rows nats-* are', say) : undefined
  const contestants: Contestant[] = []
  const values: Values = {}
  try {
    for (const name of ['calls', 'calls-msgpack'] as const) {
      if (isWanted(name)) contestants.push(await engineContestant(options.engine, name))
    }
    if (nats !== undefined) contestants.push(await natsContestant(nats))
    for (const level of options.inFlight) {
      const results = contestants
        .filter(({ name }) => wantedLevel(name)(level))
        .map(contestant => ({ contestant, taken: [] as LoopResult[] }))
      for (let round = 1; round <= options.rounds; round++) {
        for (const { contestant, taken } of results) {
          const result = await runOnce(contestant, level, options.seconds)
          taken.push(result)
          const rate = Math.round(result.answers / result.seconds)
          say(`${contestant.name} ${level} in flight, round ${round}: ${rate}/s`)
        }
      }
      for (const { contestant, taken } of results) {
        Object.assign(values, valuesOf(contestant.name, level, taken))
      }
    }
  } finally {
    for (const contestant of contestants) await contestant.stop()
  }
  return values
}
