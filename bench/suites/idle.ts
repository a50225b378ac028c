/** `idle-workers`: what workers cost that are connected and do nothing. */
import type { IdleOptions } from '../clients/idleWorkers.ts'
import type { BenchContext, Values } from '../context.ts'
import { startEngine } from '../engine.ts'
import { clientPath, start } from '../processes.ts'
import { cpuSeconds, residentMiB } from '../procfs.ts'

export const idleShapes = [
  { name: 'idle-workers', engine: ['--shards', '0'] },
  { name: 'idle-workers-2-shards', engine: ['--shards', '2', '--acceptor', 'kernel'] },
] as const

const idleMeasures = ['memory', 'cpu', 'connected'] as const

const KIB_PER_MIB = 1024
/** After the last one has come: until garbage of connecting is collected and memory given back. */
const SETTLE_MS = 15_000
const FIRST_SETTLE_MS = 5000
/** CPU time has steps of 10 ms: a share of 0.1 % needs this long. In multiples of one timed run. */
const RUNS = 9
/** Some come before the engine is weighed: what its threads take for the first of them is not for each. */
const FIRST_SHARE = 0.2

async function measureOne(
  entry: string,
  { name, engine: options }: (typeof idleShapes)[number],
  workers: number,
  seconds: number,
): Promise<Values> {
  const engine = startEngine(entry, { options })
  const { workers: url } = await engine.addresses
  const join = async (count: number, settleMs: number) => {
    const client = start([
      process.execPath,
      clientPath('idleWorkers.ts'),
      JSON.stringify({ url, workers: count } satisfies IdleOptions),
    ])
    await client.firstLine
    await Bun.sleep(settleMs)
    return client
  }
  const first = await join(Math.ceil(workers * FIRST_SHARE), FIRST_SETTLE_MS)
  const before = residentMiB(engine.pid) ?? Number.NaN
  const startedAt = performance.now()
  const rest = await join(workers, SETTLE_MS)
  const connectedMs = performance.now() - startedAt - SETTLE_MS
  const after = residentMiB(engine.pid) ?? Number.NaN
  const cpuBefore = cpuSeconds(engine.pid) ?? Number.NaN
  await Bun.sleep(RUNS * seconds * 1000)
  const cpu = (cpuSeconds(engine.pid) ?? Number.NaN) - cpuBefore
  await rest.stop()
  await first.stop()
  await engine.stop()
  return {
    [`${name}-memory`]: ((after - before) * KIB_PER_MIB) / workers,
    [`${name}-cpu`]: (cpu / (RUNS * seconds)) * 100,
    [`${name}-connected`]: workers / (connectedMs / 1000),
  }
}

export async function measureIdle({ options, say, wanted }: BenchContext): Promise<Values> {
  const values: Values = {}
  for (const shape of idleShapes) {
    if (!idleMeasures.some(measure => wanted(`${shape.name}-${measure}`))) continue
    const taken = await measureOne(options.engine, shape, options.workers, options.seconds)
    Object.assign(values, taken)
    const [memory, cpu] = [taken[`${shape.name}-memory`]!, taken[`${shape.name}-cpu`]!]
    say(`${shape.name}: ${memory.toFixed(1)} KiB each, ${cpu.toFixed(2)} % of a core`)
  }
  return values
}
