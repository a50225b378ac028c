/**
 * What every contestant of the `queue` suite is asked for: messages are published in a closed loop, by one who waits for
 * the answer that each is kept, while they are delivered. Publisher and consumer are one process, so that the way of a message is
 * measured by one clock.
 */
import { createHistogram, type HistogramDump } from '../histogram.ts'
import { cpuSeconds, threadSeconds } from '../procfs.ts'
import { createLoop, type LoopPlan, type LoopResult } from './closedLoop.ts'

export interface QueueLoad {
  url: string
  /** Processes of the contestant whose CPU time is read. */
  pids: readonly number[]
  plan: LoopPlan
  /** Messages are spread over so many groups, each in order; 0: without groups. */
  groups: number
  /** Messages that wait in the same queue before the loop begins, and stay behind what it publishes. */
  waiting: number
  /** Queues beside it, each of which gets a message now and then: `starts` is of those only. */
  small: number
}

export interface QueueResult extends LoopResult {
  /** Handlers that ended while messages were published, and were told so to the contestant. */
  delivered: number
  /** From the call that publishes a message to its handler. */
  starts: HistogramDump
  /** Messages that came after the last was published, and how long that took. */
  drained: number
  drainSeconds: number
  /** Handled never, of all that were published, within the patience. */
  missing: number
  /** Handled more than once. */
  again: number
  /** Of a group, after one that was published later. */
  outOfOrder: number
}

export interface Contestant {
  /** Publishes; resolves when it is said to be kept. */
  publish(number: number): Promise<void> | void
  /** Publishes to one of the small queues. */
  publishSmall?(number: number): void
}

const LOOK_MS = 5
/** Numbers of messages of small queues begin here. */
const FIRST_SMALL = 1_000_000_000
/** Between two of them. */
const SMALL_MS = 5

/**
 * Runs the loop. `connect` gets what is called when a handler begins with a message, and when it has ended; `answered` is for
 * publishers without a promise.
 */
export async function runQueueLoad(
  { pids, plan, groups, small }: Pick<QueueLoad, 'pids' | 'plan' | 'groups' | 'small'>,
  connect: (calls: {
    begins(number: number): void
    ended(): void
    answered(number: number, isGood: boolean): void
  }) => Promise<Contestant>,
): Promise<QueueResult> {
  const startedAt: number[] = []
  const placeOf: number[] = []
  const isHandled: boolean[] = []
  const last = new Map<number, number>()
  const smallStartedAt = new Map<number, number>()
  const starts = createHistogram()
  let handled = 0
  let ended = 0
  let again = 0
  let outOfOrder = 0

  const contestant = await connect({
    begins(number) {
      const smallAt = smallStartedAt.get(number)
      if (smallAt !== undefined) {
        starts.record(performance.now() - smallAt)
        smallStartedAt.delete(number)
        return
      }
      const at = startedAt[number]
      // One of those that waited before.
      if (at === undefined) return
      if (small === 0) starts.record(performance.now() - at)
      if (isHandled[number] === true) again++
      else handled++
      isHandled[number] = true
      if (groups === 0) return
      const group = number % groups
      if ((last.get(group) ?? -1) > number) outOfOrder++
      last.set(group, number)
    },
    ended: () => void ended++,
    answered: (number, isGood) => loop.answered(placeOf[number]!, number, isGood),
  })

  const sum = (of: (pid: number) => number | undefined): number | undefined => {
    const all = pids.map(of)
    return all.includes(undefined) ? undefined : all.reduce<number>((total, one) => total + one!, 0)
  }
  let endedBefore = 0
  let endedAfter = 0
  let looks = 0
  const loop = createLoop(plan, {
    send(place, number) {
      startedAt[number] = performance.now()
      placeOf[number] = place
      contestant.publish(number)?.then(
        () => loop.answered(place, number, true),
        () => loop.answered(place, number, false),
      )
    },
    // Looked at when the measuring begins, and when it ends.
    cpuSeconds() {
      if (looks++ === 0) {
        endedBefore = ended
        starts.clear()
      } else endedAfter = ended
      return sum(cpuSeconds)
    },
    threadSeconds: () => (pids.length === 1 ? threadSeconds(pids[0]!) : undefined),
  })
  let nextSmall = FIRST_SMALL
  function publishSmall(): void {
    smallStartedAt.set(nextSmall, performance.now())
    contestant.publishSmall?.(nextSmall++)
  }
  const ticking = small === 0 ? undefined : setInterval(publishSmall, SMALL_MS)
  const result = await loop.run()
  clearInterval(ticking)
  const from = performance.now()
  const before = ended
  const published = result.callsMade - result.wrong - result.lost
  for (let quiet = performance.now(), seen = ended; handled < published || smallStartedAt.size > 0; ) {
    await Bun.sleep(LOOK_MS)
    if (ended !== seen) [quiet, seen] = [performance.now(), ended]
    else if (performance.now() - quiet > plan.patienceMs) break
  }
  return {
    ...result,
    delivered: endedAfter - endedBefore,
    starts: starts.dump(),
    drained: ended - before,
    drainSeconds: (performance.now() - from) / 1000,
    missing: Math.max(0, published - handled) + smallStartedAt.size,
    again,
    outOfOrder,
  }
}
