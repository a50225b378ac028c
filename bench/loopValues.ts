/** Runs of a closed loop, and the values they give. */
import type { LoopPlan, LoopResult } from './clients/closedLoop.ts'
import type { Values } from './context.ts'
import { createHistogram, median } from './histogram.ts'

const WARM_UP_MS = 1000
const PATIENCE_MS = 5000

export function planOf(inFlight: number, seconds: number): LoopPlan {
  return {
    inFlight,
    warmUpMs: Math.min(WARM_UP_MS, seconds * 1000),
    measureMs: seconds * 1000,
    patienceMs: PATIENCE_MS,
  }
}

export function loopValues(name: string, level: number, results: readonly LoopResult[]): Values {
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

/** CPU time of each thread that had any to speak of, in microseconds per call. */
export function perThread({
  threadSeconds = {},
  answers,
}: Pick<LoopResult, 'threadSeconds' | 'answers'>): string {
  const parts = Object.entries(threadSeconds)
    .map(([name, seconds]) => ({ name, micros: (seconds / answers) * 1e6 }))
    .filter(({ micros }) => micros >= 0.01)
    .map(({ name, micros }) => `${name} ${micros.toPrecision(3)}`)
  return parts.length === 0 ? '' : `; µs of CPU per call: ${parts.join(', ')}`
}
