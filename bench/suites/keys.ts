/** `keys`: a data folder with very many keys: how the engine starts on it, what memory it takes, how its list is read. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KeysOptions, KeysResult } from '../clients/keys.ts'
import type { BenchContext, Values } from '../context.ts'
import { startEngine } from '../engine.ts'
import { createHistogram, median } from '../histogram.ts'
import { clientPath, start } from '../processes.ts'
import { residentMiB } from '../procfs.ts'

/** After a start: until memory is at rest. */
const SETTLE_MS = 2000

/** Much longer than a client usually may: very many keys are written. */
async function runKeys(options: KeysOptions): Promise<KeysResult> {
  const client = start([process.execPath, clientPath('keys.ts'), JSON.stringify(options)], undefined, {}, 0)
  return JSON.parse(await client.firstLine) as KeysResult
}

interface Started {
  readonly ms: number
  readonly memory: number
}

export async function measureKeys({ options, say }: BenchContext): Promise<Values> {
  const folder = mkdtempSync(join(tmpdir(), 'iii-bench-keys-'))
  const { keys } = options
  const startOn = (data: string) =>
    startEngine(options.engine, { workers: ['{ name: iii-state }'], data: join(folder, data) })

  /** From spawning it until it listens, which is after its data folder is open. */
  async function timeStart(data: string): Promise<Started> {
    const from = performance.now()
    const engine = startOn(data)
    try {
      await engine.addresses
      const ms = performance.now() - from
      await Bun.sleep(SETTLE_MS)
      return { ms, memory: residentMiB(engine.pid) ?? Number.NaN }
    } finally {
      await engine.stop()
    }
  }

  try {
    let engine = startOn('many')
    let { workers: url } = await engine.addresses
    const filled = await runKeys({ url, task: 'fill', keys })
    say(`keys: ${keys} written in ${filled.seconds.toFixed(1)} s`)
    await engine.stop()

    const many: Started[] = []
    const few: Started[] = []
    for (let round = 0; round < options.starts; round++) {
      few.push(await timeStart('few'))
      many.push(await timeStart('many'))
      say(
        `keys: started in ${Math.round(many.at(-1)!.ms)} ms, without keys in ${Math.round(few.at(-1)!.ms)} ms`,
      )
    }

    engine = startOn('many')
    url = (await engine.addresses).workers
    const walked = await runKeys({ url, task: 'walk', keys })
    const memory = residentMiB(engine.pid) ?? Number.NaN
    await engine.stop()
    const p50 = (dump: KeysResult['first']): number => createHistogram(dump).quantile(0.5) * 1000
    const middle = (all: Started[], of: keyof Started): number => median(all.map(one => one[of]))
    return {
      'keys-count': walked.listed,
      'keys-fill-rate': keys / filled.seconds,
      'keys-start': middle(many, 'ms'),
      'keys-none-start': middle(few, 'ms'),
      'keys-memory': middle(many, 'memory'),
      'keys-none-memory': middle(few, 'memory'),
      'keys-walked-memory': memory,
      'keys-page-last-p50': p50(walked.last),
      'keys-page-first-p50': p50(walked.first),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
