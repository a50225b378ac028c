/** `lost`: very many calls over several connections, each of which must be answered once and rightly. */
import type { LoopResult } from '../clients/closedLoop.ts'
import type { BenchContext, Values } from '../context.ts'
import { startEngine } from '../engine.ts'
import { clientPath, runClient, start } from '../processes.ts'

const FUNCTION_ID = 'bench::echo'
const CONNECTIONS = 4
const IN_FLIGHT = 256
const PATIENCE_MS = 10_000
/** A line of progress this often. */
const SAY_MS = 5000

export async function measureLost({ options, say }: BenchContext): Promise<Values> {
  const engine = startEngine(options.engine)
  try {
    const { workers: url } = await engine.addresses
    const worker = start([
      process.execPath,
      clientPath('echoWorker.ts'),
      JSON.stringify({ url, functionIds: [FUNCTION_ID], routes: [] }),
    ])
    await worker.firstLine
    const plan = { inFlight: IN_FLIGHT, warmUpMs: 0, calls: options.calls, patienceMs: PATIENCE_MS }
    const target = { url, functionId: FUNCTION_ID, pid: engine.pid, connections: CONNECTIONS, plan }
    let saidAt = performance.now()
    const result = await runClient<LoopResult>('caller.ts', target, line => {
      if (performance.now() - saidAt < SAY_MS) return
      saidAt = performance.now()
      say(`lost: ${line} of ${options.calls} calls answered`)
    })
    await worker.stop()
    return {
      'lost-answers': result.lost,
      'lost-unexpected': result.unexpected,
      'lost-wrong': result.wrong,
      'lost-calls': result.callsMade,
      'lost-rate': result.answers / result.seconds,
    }
  } finally {
    await engine.stop()
  }
}
