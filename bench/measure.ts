/** Takes measures: suite by suite, with what others do on the machine meanwhile. */
import { isNamedBy, type MeasureInfo } from './catalogue.ts'
import type { BenchContext, BenchOptions, Suite, Values } from './context.ts'
import { describeMachine, watchOthers } from './machine.ts'
import { measureCalls } from './suites/calls.ts'
import { measureCron } from './suites/cron.ts'
import { measureHttp } from './suites/http.ts'
import { measureIdle } from './suites/idle.ts'
import { measureKeys } from './suites/keys.ts'
import { measureLost } from './suites/lost.ts'
import { measureMicro } from './suites/micro.ts'
import { measurePubsub } from './suites/pubsub.ts'
import { measureQueue } from './suites/queue.ts'
import { measureRing } from './suites/ring.ts'
import { measureStarts } from './suites/start.ts'
import { measureState } from './suites/state.ts'
import { measureStream } from './suites/stream.ts'
import { type Measure, toMeasures } from './table.ts'

/** What measures each part of the catalogue, by the first part of the names. */
const suites: readonly { names: readonly string[]; measure: Suite }[] = [
  { names: ['calls', 'nats'], measure: measureCalls },
  { names: ['state', 'redis', 'disk'], measure: measureState },
  { names: ['queue'], measure: measureQueue },
  { names: ['keys'], measure: measureKeys },
  { names: ['pubsub'], measure: measurePubsub },
  { names: ['stream'], measure: measureStream },
  { names: ['cron'], measure: measureCron },
  { names: ['http'], measure: measureHttp },
  { names: ['start'], measure: measureStarts },
  { names: ['micro'], measure: measureMicro },
  { names: ['ring'], measure: measureRing },
  { names: ['idle'], measure: measureIdle },
  { names: ['lost'], measure: measureLost },
]

/** When other processes take more of the machine than this, figures say more about them. */
const QUIET_SHARE = 0.05

/**
 * Takes the selected ones of these measures. A suite that fails is told of, and what the others measured is still
 * given: it took minutes.
 */
export async function takeMeasures(
  infos: readonly MeasureInfo[],
  selected: ReadonlySet<string>,
  options: BenchOptions,
  say: (text: string) => void,
): Promise<{ measures: Measure[]; failed: boolean }> {
  const chosen = infos.filter(({ name }) => selected.has(name))
  say(describeMachine(new Date()))
  const context: BenchContext = { options, say, infos, wanted: name => selected.has(name) }
  const values: Values = {}
  let failed = false
  for (const { names, measure } of suites) {
    if (!chosen.some(({ name }) => names.some(word => isNamedBy(name, word)))) continue
    const othersShare = watchOthers()
    try {
      Object.assign(values, await measure(context))
      sayNoise(names, othersShare(), say)
    } catch (error) {
      say(`error: ${names.join(' and ')}: ${error instanceof Error ? error.message : error}`)
      failed = true
    }
  }
  return { measures: toMeasures(chosen, values), failed }
}

function sayNoise(names: readonly string[], share: number | undefined, say: (text: string) => void): void {
  if (share === undefined) return
  const text = `${names.join(' and ')}: other processes took ${Math.round(share * 100)} % of the machine meanwhile`
  say(share > QUIET_SHARE ? `${text}; do not keep these figures` : text)
}
