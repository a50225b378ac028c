import { describe, expect, test } from 'bun:test'
import { type Stoppable, untilStopped } from '../../src/cli/serve/shutdown.ts'
import type { Clock } from '../../src/clock/clock.ts'
import { silentLog } from '../../src/log/log.ts'
import { limits } from '../../src/protocol/limits.ts'
import { fakeTerminal } from './support.ts'

/** Time that stands still until `pass`. */
function fakeClock(): Clock & { pass(ms: number): void; timers(): number } {
  let now = 0
  let timers: { at: number; task: () => void }[] = []
  return {
    now: () => now,
    after(ms, task) {
      const timer = { at: now + ms, task }
      timers.push(timer)
      return () => {
        timers = timers.filter(other => other !== timer)
      }
    },
    pass(ms) {
      now += ms
      const due = timers.filter(timer => timer.at <= now)
      timers = timers.filter(timer => timer.at > now)
      for (const timer of due) timer.task()
    },
    timers: () => timers.length,
  }
}

function setUp(thread: Partial<Stoppable>) {
  const terminal = fakeTerminal()
  const clock = fakeClock()
  const calls: string[] = []
  const stoppable: Stoppable = {
    drain(ms) {
      calls.push(`drain ${ms}`)
      return thread.drain?.(ms) ?? Promise.resolve()
    },
    stop() {
      calls.push('stop')
      return thread.stop?.() ?? Promise.resolve()
    },
    failed: thread.failed ?? new Promise(() => {}),
  }
  const exitCode = untilStopped({
    thread: stoppable,
    drainMs: 100,
    log: silentLog,
    clock,
    onStopSignal: terminal.onStopSignal,
  })
  return { exitCode, calls, clock, signal: terminal.signal }
}

const never = (): Promise<void> => new Promise(() => {})

describe('the first signal', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal}: running work ends, then the engine stops, exit code 0`, async () => {
      const work = Promise.withResolvers<void>()
      const engine = setUp({ drain: () => work.promise })
      engine.signal(signal)
      expect(engine.calls).toEqual(['drain 100'])
      work.resolve()
      expect(await engine.exitCode).toBe(0)
      expect(engine.calls).toEqual(['drain 100', 'stop'])
      expect(engine.clock.timers()).toBe(0)
    })
  }

  test('draining that hangs, and draining that fails, do not keep the engine', async () => {
    const hanging = setUp({ drain: never })
    hanging.signal('SIGTERM')
    hanging.clock.pass(100 + limits.drainMarginMs)
    expect(await hanging.exitCode).toBe(0)
    const failing = setUp({ drain: () => Promise.reject(new Error('no')) })
    failing.signal('SIGTERM')
    expect(await failing.exitCode).toBe(0)
  })

  test('a stop that fails is a failure', async () => {
    const engine = setUp({ stop: () => Promise.reject(new Error('no')) })
    engine.signal('SIGTERM')
    expect(await engine.exitCode).toBe(1)
  })
})

describe('the second signal', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s cuts: ports are freed at once, exit code %d', async (signal, code) => {
    const engine = setUp({ drain: never })
    engine.signal('SIGTERM')
    engine.signal(signal)
    expect(engine.calls).toEqual(['drain 100', 'stop'])
    expect(await engine.exitCode).toBe(code)
  })

  test('ends the process even when stopping hangs, and further signals change nothing', async () => {
    const engine = setUp({ drain: never, stop: never })
    engine.signal('SIGINT')
    engine.signal('SIGINT')
    engine.signal('SIGTERM')
    engine.clock.pass(limits.stopMs)
    expect(await engine.exitCode).toBe(130)
    expect(engine.calls).toEqual(['drain 100', 'stop'])
  })
})
