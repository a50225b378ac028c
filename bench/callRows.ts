/** The rows of calls in a closed loop. */
import type { MeasureInfo } from './catalogue.ts'

export function callRows(
  name: string,
  level: number,
  one: string,
  program: string,
  peer?: string,
): MeasureInfo[] {
  const row = (suffix: string, unit: MeasureInfo['unit'], better: MeasureInfo['better'], what: string) => ({
    name: `${name}-${level}-${suffix}`,
    unit,
    better,
    what: `${what}, ${level} in flight`,
    ...(peer === undefined || suffix === 'lost' ? {} : { peer: `${peer}-${level}-${suffix}` }),
  })
  return [
    row('rate', 'calls/s', 'more', `${one}: answers per second`),
    row('p50', 'µs', 'less', `${one}: time to the answer, median`),
    row('p99', 'µs', 'less', `${one}: time to the answer, 99th percentile`),
    row('cpu', 'µs', 'less', `${one}: CPU time of the ${program}, all threads`),
    row('lost', 'answers', 'less', `${one}: answered not at all, twice or wrongly`),
  ]
}
