/** `start`: from spawn to open port, and resident memory when idle; of the engine and of a bare `Bun.serve`, in turn. */
import { connect } from 'node:net'
import type { BenchContext, Values } from '../context.ts'
import { startEngine } from '../engine.ts'
import { median } from '../histogram.ts'
import { clientPath, freePort, type Running, start } from '../processes.ts'
import { residentMiB } from '../procfs.ts'

const IDLE_MS = 2000
const GIVE_UP_MS = 20_000
/** Between attempts to connect; few enough not to slow down what is measured. */
const TRY_AGAIN_MS = 1

function connects(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

async function measureStart(begin: (port: number) => Running): Promise<{ ms: number; mib: number }> {
  const port = await freePort()
  const from = performance.now()
  const process = begin(port)
  let failure: unknown
  process.firstLine.catch(error => {
    failure = error
  })
  try {
    while (!(await connects(port))) {
      if (failure !== undefined) throw failure
      if (performance.now() - from > GIVE_UP_MS)
        throw new Error(`port ${port} did not open in ${GIVE_UP_MS} ms`)
      await Bun.sleep(TRY_AGAIN_MS)
    }
    const ms = performance.now() - from
    await Bun.sleep(IDLE_MS)
    return { ms, mib: residentMiB(process.pid) ?? Number.NaN }
  } finally {
    await process.stop()
  }
}

export async function measureStarts({ options, say, wanted }: BenchContext): Promise<Values> {
  const contestants = {
    start: (port: number) => startEngine(options.engine, { ports: { workers: port, http: 0 } }),
    'start-bun': (port: number) => start([process.execPath, clientPath('bareServer.ts'), String(port)]),
  }
  const values: Values = {}
  const results = Object.entries(contestants)
    .filter(([name]) => wanted(`${name}-open-port`) || wanted(`${name}-idle-memory`))
    .map(([name, begin]) => ({ name, begin, ms: [] as number[], mib: [] as number[] }))
  for (let round = 0; round <= options.starts; round++) {
    for (const { name, begin, ms, mib } of results) {
      const result = await measureStart(begin)
      say(`${name}, ${round === 0 ? 'warm-up' : `round ${round}`}: ${Math.round(result.ms)} ms`)
      // The first start reads the files from disk.
      if (round === 0) continue
      ms.push(result.ms)
      mib.push(result.mib)
    }
  }
  for (const { name, ms, mib } of results) {
    values[`${name}-open-port`] = median(ms)
    values[`${name}-idle-memory`] = median(mib)
  }
  return values
}
