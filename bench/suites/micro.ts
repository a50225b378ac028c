/** `micro`: single steps, each in a process of its own, round by round. */
import type { BenchContext, Values } from '../context.ts'
import { median } from '../histogram.ts'
import { runClient } from '../processes.ts'

/** What is timed, without the `micro-` of the measure's name. */
export const microNames = [
  'scan-small',
  'scan-large',
  'decode-small',
  'decode-large',
  'json-parse-small',
  'json-parse-large',
  'encode-small',
  'encode-large',
  'json-stringify-small',
  'json-stringify-large',
  'route-call',
  'route-text-call',
  'local-call',
  'msgpack-walk-small',
  'msgpack-decode-small',
  'msgpack-encode-small',
  'msgpack-route-call',
] as const

export type MicroName = (typeof microNames)[number]

export interface MicroOptions {
  name: MicroName
  /** How long to repeat it. */
  milliseconds: number
}

/** A step gets this share of the time of a whole-engine run: it needs no warm-up of sockets and caches. */
const SHARE_OF_RUN = 0.1

export async function measureMicro({ options, say, wanted }: BenchContext): Promise<Values> {
  const names = microNames.filter(name => wanted(`micro-${name}`))
  const taken = new Map(names.map(name => [name, [] as number[]]))
  for (let round = 1; round <= options.rounds; round++) {
    for (const name of names) {
      const plan: MicroOptions = { name, milliseconds: options.seconds * 1000 * SHARE_OF_RUN }
      const nanoseconds = await runClient<number>('micro.ts', plan)
      taken.get(name)!.push(nanoseconds)
      say(`micro-${name}, round ${round}: ${Math.round(nanoseconds)} ns`)
    }
  }
  return Object.fromEntries([...taken].map(([name, values]) => [`micro-${name}`, median(values)]))
}
