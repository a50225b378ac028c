/**
 * `lost`: very many calls over several connections, each of which must be answered once and rightly. `lost-cross`: the
 * same across two shards, while the one with the worker is killed again and again; then each call must have one answer or
 * its caller must have been told why there is none.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LoopResult } from '../clients/closedLoop.ts'
import type { BenchContext, Values } from '../context.ts'
import { mainFile, startEngine } from '../engine.ts'
import { clientPath, runClient, start } from '../processes.ts'

const FUNCTION_ID = 'bench::echo'
const CONNECTIONS = 4
const IN_FLIGHT = 256
const PATIENCE_MS = 10_000
/** A line of progress this often. */
const SAY_MS = 5000

export const KILLS = 5
/** A shard that fails, with an engine that bears more of that than usual. Nothing of it is in the product. */
const PRELOAD = join(import.meta.dir, '../../tests/threads/attack/preload.ts')
const WAYS = ['throw', 'exit', 'reject'] as const
const LIMITS = { shardLosses: 1000, shardPauseMs: 10 }
const WORKER_THREAD = 1
const CALLER_THREAD = 2
/** What callers are told when a worker is lost, and until it is back. */
const RECKONS_WITH = ['invocation_stopped', 'function_not_found']

export async function measureLost(context: BenchContext): Promise<Values> {
  const { wanted, infos, options, say } = context
  const isWanted = (across: boolean): boolean =>
    infos.some(
      ({ name }) => name.startsWith('lost-') && name.startsWith('lost-cross') === across && wanted(name),
    )
  const values: Values = isWanted(false) ? await measureAlone(context) : {}
  if (!isWanted(true)) return values
  if (options.engine !== mainFile) say('lost-cross is left out: it kills shards of this checkout only')
  else Object.assign(values, await measureAcross(context))
  return values
}

function faultsOf(name: string, result: LoopResult): Values {
  return {
    [`${name}-answers`]: result.lost,
    [`${name}-unexpected`]: result.unexpected,
    [`${name}-wrong`]: result.wrong,
    [`${name}-calls`]: result.callsMade,
    [`${name}-rate`]: result.answers / result.seconds,
  }
}

async function measureAcross({ options, say }: BenchContext): Promise<Values> {
  const folder = mkdtempSync(join(tmpdir(), 'iii-bench-attacks-'))
  const engine = startEngine(options.engine, {
    options: ['--shards', '2', '--acceptor', 'kernel'],
    runtime: ['--preload', PRELOAD],
    env: { III_ATTACKS: folder, III_ATTACK_LIMITS: JSON.stringify(LIMITS) },
  })
  let kills = 0
  async function killWorkersShard(): Promise<void> {
    const way = WAYS[kills++ % WAYS.length]!
    await fetch(`http://shard/${way}`, { unix: join(folder, String(WORKER_THREAD)) })
    say(`lost-cross: shard ${WORKER_THREAD} killed (${way})`)
  }
  try {
    const { workers: url } = await engine.addresses
    const echo = { url, functionId: FUNCTION_ID, thread: WORKER_THREAD }
    const worker = start([process.execPath, clientPath('returningEcho.ts'), JSON.stringify(echo)])
    await worker.firstLine
    const plan = { inFlight: IN_FLIGHT, warmUpMs: 0, calls: options.calls, patienceMs: PATIENCE_MS }
    const target = { url, functionId: FUNCTION_ID, pid: engine.pid, connections: CONNECTIONS, plan }
    const caller = { ...target, thread: CALLER_THREAD, reckonsWith: RECKONS_WITH }
    const result = await runClient<LoopResult>('caller.ts', caller, line => {
      if (kills < KILLS && Number(line) >= (options.calls * (kills + 1)) / (KILLS + 1)) {
        killWorkersShard().catch(error => say(`lost-cross: no shard was killed: ${error}`))
      }
    })
    await worker.stop()
    return {
      ...faultsOf('lost-cross', result),
      'lost-cross-stopped': result.told.invocation_stopped ?? 0,
      'lost-cross-not-found': result.told.function_not_found ?? 0,
      'lost-cross-kills': kills,
    }
  } finally {
    await engine.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measureAlone({ options, say }: BenchContext): Promise<Values> {
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
    return faultsOf('lost', result)
  } finally {
    await engine.stop()
  }
}
