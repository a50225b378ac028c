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

function valuesOf(name: string, results: readonly LoopResult[], copies: number): Values {
  const quantile = (q: number): number =>
    median(results.map(({ latencies }) => createHistogram(latencies).quantile(q))) * 1000
  const cpu = results.map(({ cpuSeconds, answers }) => ((cpuSeconds ?? Number.NaN) / answers / copies) * 1e6)
  const sum = (of: (result: LoopResult) => number): number =>
    results.reduce((total, result) => total + of(result), 0)
  return {
    [`${name}-rate`]: median(results.map(({ answers, seconds }) => (answers * copies) / seconds)),
    [`${name}-p50`]: quantile(0.5),
    [`${name}-p99`]: quantile(0.99),
    [`${name}-cpu`]: median(cpu),
    [`${name}-lost`]: sum(({ lost, unexpected, wrong }) => lost + unexpected + wrong),
  }
}

/** Of calls. */
export const loopValues = (name: string, level: number, results: readonly LoopResult[]): Values =>
  valuesOf(`${name}-${level}`, results, 1)

/** Of messages that each reach so many: rate and CPU are those of one delivery. */
export const deliveryValues = (name: string, copies: number, results: readonly LoopResult[]): Values =>
  valuesOf(name, results, copies)

/** CPU time of each thread that had any to speak of, in microseconds per call or delivery. */
export function perThread(
  { threadSeconds = {}, answers }: Pick<LoopResult, 'threadSeconds' | 'answers'>,
  copies = 1,
): string {
  const parts = Object.entries(threadSeconds)
    .map(([name, seconds]) => ({ name, micros: (seconds / answers / copies) * 1e6 }))
    .filter(({ micros }) => micros >= 0.01)
    .map(({ name, micros }) => `${name} ${micros.toPrecision(3)}`)
  if (parts.length === 0) return ''
  return `; µs of CPU per ${copies === 1 ? 'call' : 'delivery'}: ${parts.join(', ')}`
}
