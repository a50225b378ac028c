/** `calls`, `calls-msgpack` and `nats`: closed-loop calls through the engine in both framings, on one thread and on several, and request-reply through NATS, in turn. */
import type { CallerOptions } from '../clients/caller.ts'
import type { LoopResult } from '../clients/closedLoop.ts'
import type { BenchContext, Values } from '../context.ts'
import { startEngine } from '../engine.ts'
import { loopValues, perThread, planOf } from '../loopValues.ts'
import { clientPath, freePort, runClient, start } from '../processes.ts'
import { type CallShape, callShapes } from '../shapes.ts'
import { findTool } from '../tools.ts'

export const callMeasures = ['rate', 'p50', 'p99', 'cpu', 'lost'] as const

interface Contestant {
  readonly name: string
  readonly client: string
  readonly target: Pick<CallerOptions, 'url' | 'functionId' | 'pid' | 'thread'>
}

/** What contestants run on. */
interface Ground {
  readonly contestants: Contestant[]
  stop(): Promise<void>
}

const FUNCTION_ID = 'bench::echo'
/** Each thread compiles its own code: those with shards need more calls until it is fast. */
const WARM_UP_IN_FLIGHT = 256

/** An engine and its worker; each framing has its own, so that neither sees what the other does to it. */
async function engineGround(entry: string, shapes: CallShape[]): Promise<Ground> {
  const { framing, engine: options, workerThread: thread } = shapes[0]!
  const engine = startEngine(entry, { options })
  const { workers: url } = await engine.addresses
  const worker = start([
    process.execPath,
    clientPath(framing === 'json' ? 'echoWorker.ts' : 'msgpackEcho.ts'),
    JSON.stringify(
      framing === 'json'
        ? { url, functionIds: [FUNCTION_ID], routes: [], thread }
        : { url, functionId: FUNCTION_ID, thread },
    ),
  ])
  await worker.firstLine
  return {
    contestants: shapes.map(({ name, callerThread }) => ({
      name,
      client: framing === 'json' ? 'caller.ts' : 'msgpackCaller.ts',
      target: { url, functionId: FUNCTION_ID, pid: engine.pid, thread: callerThread! },
    })),
    async stop() {
      await worker.stop()
      await engine.stop()
    },
  }
}

async function natsGround(program: string): Promise<Ground> {
  const port = await freePort()
  const url = `127.0.0.1:${port}`
  const server = start([program, '--addr', '127.0.0.1', '--port', String(port)])
  const responder = start([process.execPath, clientPath('natsResponder.ts'), url, FUNCTION_ID])
  await responder.firstLine
  const target = { url, functionId: FUNCTION_ID, pid: server.pid }
  return {
    contestants: [{ name: 'nats', client: 'natsCaller.ts', target }],
    async stop() {
      await responder.stop()
      await server.stop()
    },
  }
}

function runOnce({ client, target }: Contestant, inFlight: number, seconds: number): Promise<LoopResult> {
  const options: CallerOptions = { ...target, connections: 1, plan: planOf(inFlight, seconds) }
  return runClient<LoopResult>(client, options)
}

/** Shapes that can share an engine and its worker. */
const groundOf = ({ framing, engine }: CallShape): string => [framing, ...engine].join(' ')

export async function measureCalls({ options, say, wanted, infos }: BenchContext): Promise<Values> {
  const wantedLevels = (name: string): number[] =>
    options.inFlight.filter(level =>
      callMeasures.some(measure => {
        const full = `${name}-${level}-${measure}`
        return infos.some(info => info.name === full) && wanted(full)
      }),
    )
  const isWanted = ({ name }: { name: string }): boolean => wantedLevels(name).length > 0
  const nats = isWanted({ name: 'nats' }) ? findTool('nats-server', 'the rows nats-* are', say) : undefined
  const shapes = Object.values(Object.groupBy(callShapes.filter(isWanted), groundOf))
  const grounds: Ground[] = []
  const values: Values = {}
  try {
    for (const group of shapes) grounds.push(await engineGround(options.engine, group!))
    if (nats !== undefined) grounds.push(await natsGround(nats))
    const contestants = grounds.flatMap(ground => ground.contestants)
    for (const contestant of contestants.filter(({ target }) => target.thread !== undefined)) {
      await runOnce(contestant, WARM_UP_IN_FLIGHT, options.seconds)
    }
    for (const level of options.inFlight) {
      const results = contestants
        .filter(({ name }) => wantedLevels(name).includes(level))
        .map(contestant => ({ contestant, taken: [] as LoopResult[] }))
      for (let round = 1; round <= options.rounds; round++) {
        for (const { contestant, taken } of results) {
          const result = await runOnce(contestant, level, options.seconds)
          taken.push(result)
          const rate = Math.round(result.answers / result.seconds)
          say(`${contestant.name} ${level} in flight, round ${round}: ${rate}/s${perThread(result)}`)
        }
      }
      for (const { contestant, taken } of results) {
        Object.assign(values, loopValues(contestant.name, level, taken))
      }
    }
  } finally {
    for (const ground of grounds) await ground.stop()
  }
  return values
}
