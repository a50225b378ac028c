import { describe, expect, test } from 'bun:test'
import { createLoop, type Loop, type LoopPlan } from '../../bench/clients/closedLoop.ts'
import {
  callOf,
  functionIdOf,
  idPrefix,
  idSuffix,
  invocationIdOf,
  placeOf,
  suffixOf,
} from '../../bench/clients/wire.ts'

/** A loop whose far side is `answer`; it runs in a turn of its own, as over a socket. */
function loopWith(
  plan: Partial<LoopPlan>,
  answer: (loop: Loop, place: number, call: number) => void,
  cpuSeconds: () => number | undefined = () => undefined,
) {
  const sent: number[] = []
  const loop = createLoop(
    { inFlight: 4, warmUpMs: 0, patienceMs: 1, ...plan },
    {
      send(place, call) {
        sent.push(place)
        setImmediate(() => answer(loop, place, call))
      },
      cpuSeconds,
    },
  )
  return { loop, sent }
}

describe('a closed loop', () => {
  test('makes the calls it is asked for, one after the other in each place, and counts every answer', async () => {
    let underWay = 0
    let most = 0
    const loop = createLoop(
      { inFlight: 3, warmUpMs: 0, calls: 100, patienceMs: 1000 },
      {
        send(place, call) {
          most = Math.max(most, ++underWay)
          setImmediate(() => {
            underWay--
            loop.answered(place, call, true)
          })
        },
        cpuSeconds: () => undefined,
      },
    )
    const result = await loop.run()
    expect(result).toMatchObject({ answers: 100, callsMade: 100, lost: 0, unexpected: 0, wrong: 0 })
    expect(result.latencies.reduce((sum, [, count]) => sum + count, 0)).toBe(100)
    expect(most).toBe(3)
  })

  test('does not open more places than it has calls to make', async () => {
    const { loop, sent } = loopWith({ inFlight: 8, calls: 2 }, (far, place, call) =>
      far.answered(place, call, true),
    )
    expect(await loop.run()).toMatchObject({ callsMade: 2, answers: 2, lost: 0 })
    expect(sent).toEqual([0, 1])
  })

  test('ends when nothing moves any more and says how many answers are lost', async () => {
    const { loop } = loopWith({ calls: 100 }, (far, place, call) => {
      if (call % 10 !== 9) far.answered(place, call, true)
    })
    const result = await loop.run()
    expect(result.lost).toBe(4)
    expect(result.answers).toBe(result.callsMade - 4)
  })

  test('counts an answer that comes twice, and one to a call nobody made', async () => {
    const { loop } = loopWith({ calls: 10 }, (far, place, call) => {
      far.answered(place, call, true)
      if (call === 3) far.answered(place, call, true)
      if (call === 5) far.answered(place, 12_345, true)
      if (call === 7) far.answered(Number.NaN, Number.NaN, true)
    })
    expect(await loop.run()).toMatchObject({ answers: 10, unexpected: 3, lost: 0 })
  })

  test('counts wrong answers as answers, and apart', async () => {
    const { loop } = loopWith({ calls: 10 }, (far, place, call) => far.answered(place, call, call !== 4))
    expect(await loop.run()).toMatchObject({ answers: 10, wrong: 1, lost: 0 })
  })

  test('leaves the warm-up out of answers, latencies and CPU time', async () => {
    const readings = [10, 10.5]
    const { loop } = loopWith(
      { warmUpMs: 30, measureMs: 30, patienceMs: 1000 },
      (far, place, call) => far.answered(place, call, true),
      () => readings.shift(),
    )
    const result = await loop.run()
    expect(result.answers).toBeGreaterThan(0)
    expect(result.answers).toBeLessThan(result.callsMade)
    expect(result.latencies.reduce((sum, [, count]) => sum + count, 0)).toBe(result.answers)
    expect(result.cpuSeconds).toBe(0.5)
    expect(result.lost).toBe(0)
  })

  test('has no CPU time where the platform does not say', async () => {
    const { loop } = loopWith({ calls: 1 }, (far, place, call) => far.answered(place, call, true))
    expect(await loop.run()).not.toHaveProperty('cpuSeconds')
  })
})

describe('a call id', () => {
  test('is a UUID that gives call and place back', () => {
    const id = idPrefix(3) + idSuffix(10_000_000, 1023)
    expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    const frame = `{"type":"invocationresult","invocation_id":"${id}","function_id":"bench::echo","result":null}`
    expect(callOf(suffixOf(frame))).toBe(10_000_000)
    expect(placeOf(suffixOf(frame))).toBe(1023)
    expect(invocationIdOf(frame)).toBe(id)
    expect(functionIdOf(frame)).toBe('bench::echo')
  })

  test('that is missing belongs to no call', () => {
    expect(suffixOf('{"type":"pong"}')).toBeNaN()
  })
})
