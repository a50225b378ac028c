/**
 * A closed loop: a fixed number of places, in each of them one call at a time, and the next one begins when the answer
 * is there. It knows nothing of sockets; a client gives it a way to send and tells it of answers.
 *
 *     warm-up ──▶ measuring ──time is up, or all calls made──▶ no new calls ──all answered──▶ over
 *                                                                   └──nothing comes for a while──▶ over, rest is lost
 */
import { createHistogram, type HistogramDump } from '../histogram.ts'

export interface LoopPlan {
  /** Places: calls in flight at once. */
  inFlight: number
  /** Before anything is counted. 0 with `calls`: then every call counts. */
  warmUpMs: number
  /** The loop ends after this time … */
  measureMs?: number
  /** … or after this many calls. */
  calls?: number
  /** After the end of the loop, or when nothing moves: how long to wait for an answer until it counts as lost. */
  patienceMs: number
}

export interface LoopResult {
  /** Answers that came while measuring, and how long that was. */
  answers: number
  seconds: number
  latencies: HistogramDump
  /** CPU time of the watched process while measuring, in seconds; absent where the platform does not say. */
  cpuSeconds?: number
  /** The same of its threads, by their names. */
  threadSeconds?: Record<string, number>
  /** The rest counts the whole run, warm-up included. */
  callsMade: number
  lost: number
  /** Answers that belong to no call under way: doubled, or mixed up. */
  unexpected: number
  /** Answers that are errors or not what the function returned. */
  wrong: number
  /** Calls that ended with an error which had to be reckoned with, by its code. */
  told: Record<string, number>
}

export interface LoopParts {
  send(place: number, call: number): void
  /** CPU time of the watched process so far. */
  cpuSeconds(): number | undefined
  threadSeconds?(): Record<string, number> | undefined
  onProgress?(answers: number): void
  /** Milliseconds, for latencies; a client that reads many answers at once need not look at the clock for each. */
  now?(): number
}

export interface Loop {
  answered(place: number, call: number, good: boolean): void
  /** The call ended with an error that had to be reckoned with; the next one begins after a pause. */
  told(place: number, call: number, code: string): void
  run(): Promise<LoopResult>
}

const LOOK_MS = 250
const IDLE = -1
/** Until the next call after an error: whoever has just left may be on the way back. */
const TOLD_PAUSE_MS = 20

export function createLoop(plan: LoopPlan, parts: LoopParts): Loop {
  const { inFlight, patienceMs } = plan
  const now = parts.now ?? (() => performance.now())
  const callsToMake = plan.calls ?? Number.POSITIVE_INFINITY
  const callAt = new Float64Array(inFlight).fill(IDLE)
  const startedAt = new Float64Array(inFlight)
  const histogram = createHistogram()
  const { promise: over, resolve: finish } = Promise.withResolvers<void>()
  let callsMade = 0
  let underWay = 0
  let answers = 0
  let unexpected = 0
  let wrong = 0
  const errors: Record<string, number> = {}
  let ending = false

  function fire(place: number): void {
    const call = callsMade++
    callAt[place] = call
    underWay++
    startedAt[place] = now()
    parts.send(place, call)
  }

  function answered(place: number, call: number, good: boolean): void {
    if (callAt[place] !== call) {
      unexpected++
      return
    }
    histogram.record(now() - startedAt[place]!)
    callAt[place] = IDLE
    answers++
    if (!good) wrong++
    goOn(place)
  }

  function told(place: number, call: number, code: string): void {
    if (callAt[place] !== call) {
      unexpected++
      return
    }
    callAt[place] = IDLE
    errors[code] = (errors[code] ?? 0) + 1
    setTimeout(goOn, TOLD_PAUSE_MS, place)
  }

  function goOn(place: number): void {
    underWay--
    if (!ending && callsMade < callsToMake) fire(place)
    else if (underWay === 0) finish()
  }

  /** Resolves when nothing has been answered for the time of patience. */
  function standstill(): { happens: Promise<void>; cancel: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>()
    let last = -1
    let since = performance.now()
    const timer = setInterval(() => {
      const now = performance.now()
      if (answers + unexpected !== last) {
        last = answers + unexpected
        since = now
        parts.onProgress?.(answers)
      } else if (now - since >= patienceMs) resolve()
    }, LOOK_MS)
    return { happens: promise, cancel: () => clearInterval(timer) }
  }

  async function run(): Promise<LoopResult> {
    const still = standstill()
    for (let place = 0; place < Math.min(inFlight, callsToMake); place++) fire(place)
    if (plan.warmUpMs > 0) await Bun.sleep(plan.warmUpMs)
    histogram.clear()
    const answersBefore = plan.calls === undefined ? answers : 0
    const cpuBefore = parts.cpuSeconds()
    const threadsBefore = parts.threadSeconds?.()
    const from = performance.now()
    if (plan.measureMs === undefined) await Promise.race([over, still.happens])
    else await Promise.race([Bun.sleep(plan.measureMs), over, still.happens])
    const seconds = (performance.now() - from) / 1000
    const cpuAfter = parts.cpuSeconds()
    const threadsAfter = parts.threadSeconds?.()
    const answersMeasured = answers - answersBefore
    const latencies = histogram.dump()
    ending = true
    if (underWay > 0) await Promise.race([over, still.happens])
    still.cancel()
    return {
      answers: answersMeasured,
      seconds,
      latencies,
      ...(cpuBefore !== undefined && cpuAfter !== undefined ? { cpuSeconds: cpuAfter - cpuBefore } : {}),
      ...(threadsBefore !== undefined && threadsAfter !== undefined
        ? { threadSeconds: spent(threadsBefore, threadsAfter) }
        : {}),
      callsMade,
      lost: underWay,
      unexpected,
      wrong,
      told: errors,
    }
  }

  return { answered, told, run }
}

function spent(before: Record<string, number>, after: Record<string, number>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after).map(([name, seconds]) => [name, seconds - (before[name] ?? 0)]),
  )
}
