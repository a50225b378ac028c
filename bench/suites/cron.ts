/** `cron`: what ten thousand schedules cost, and how late they fire. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CronOptions, CronResult } from '../clients/cronTarget.ts'
import type { BenchContext, Values } from '../context.ts'
import { cronShapes } from '../cronShapes.ts'
import { startEngine } from '../engine.ts'
import { createHistogram } from '../histogram.ts'
import { runClient } from '../processes.ts'

/** Whatever is called often is compiled, again and again: at 167 calls a second that takes two minutes. */
const settleMs = (calls: boolean): number => (calls ? 120_000 : 15_000)
/** CPU time has steps of 10 ms: a share of 0.1 % needs this long. In multiples of one timed run. */
const RUNS = 13
/** At least one of the instants that all have in common. */
const LEAST_MS = 61_000

export async function measureCron({ options, say, wanted, infos }: BenchContext): Promise<Values> {
  const values: Values = {}
  for (const { name } of cronShapes) {
    if (!infos.some(info => info.name.startsWith(`${name}-`) && wanted(info.name))) continue
    const folder = mkdtempSync(join(tmpdir(), 'iii-bench-cron-'))
    const engine = startEngine(options.engine, {
      workers: ['{ name: iii-cron }'],
      data: join(folder, 'data'),
    })
    try {
      const { workers: url } = await engine.addresses
      const measureMs = Math.max(RUNS * options.seconds * 1000, name === 'cron-together' ? LEAST_MS : 0)
      const client: CronOptions = {
        url,
        shape: name,
        pid: engine.pid,
        settleMs: settleMs(name === 'cron-minutely' || name === 'cron-together'),
        measureMs,
      }
      const { seconds, cpu, threads, late } = await runClient<CronResult>('cronTarget.ts', client)
      const histogram = createHistogram(late)
      const quantile = (q: number): number => histogram.quantile(q)
      Object.assign(values, {
        [`${name}-cpu`]: (cpu / seconds) * 100,
        [`${name}-fired`]: histogram.count() / seconds,
        [`${name}-late-p50`]: quantile(0.5),
        [`${name}-late-p99`]: quantile(0.99),
        [`${name}-late-max`]: quantile(1),
      })
      const busy = Object.entries(threads)
        .filter(([, time]) => time / seconds > 0.0005)
        .sort(([, one], [, other]) => other - one)
        .map(([thread, time]) => `${thread} ${((time / seconds) * 100).toFixed(2)} %`)
      const lateness = [0.5, 0.9, 0.99, 0.999, 1].map(q => quantile(q).toFixed(1)).join(', ')
      const fired = `${(histogram.count() / seconds).toFixed(1)} calls/s, late by ${lateness} ms (p50, p90, p99, p99.9, all)`
      say(
        `${name}: ${((cpu / seconds) * 100).toFixed(2)} % of a core (${busy.join(', ')})${histogram.count() === 0 ? '' : `; ${fired}`}`,
      )
    } finally {
      await engine.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return values
}
