import { describe, expect, test } from 'bun:test'
import { systemClock } from '../../src/clock/clock.ts'
import { createDeadlines, type DeadlineNode } from '../../src/clock/deadlines.ts'
import { createVirtualClock } from '../support/fakes.ts'
import { repeatedly } from '../support/fuzz.ts'
import { until } from '../support/waiting.ts'

interface Node extends DeadlineNode {
  readonly name: string
}

function createNode(name: string): Node {
  return { name, deadline: 0, earlier: undefined, later: undefined }
}

const RESOLUTION = 50

/** Deadlines on a virtual clock that started at a moment of its own; `told` are the names that expired, in order. */
function createFixture(startMs = 1_000_000_007) {
  const clock = createVirtualClock(startMs)
  const told: string[] = []
  let onExpiry = (_: Node): void => {}
  const deadlines = createDeadlines<Node>(clock, RESOLUTION, node => {
    told.push(node.name)
    onExpiry(node)
  })
  return {
    clock,
    told,
    deadlines,
    whenExpired(run: (node: Node) => void) {
      onExpiry = run
    },
  }
}

describe('a deadline', () => {
  test('expires not before its time and at most one resolution after it', () => {
    for (let start = 0; start < RESOLUTION; start += 7) {
      for (const afterMs of [0, 1, 2, 49, 50, 51, 99, 100, 101, 1234]) {
        const { clock, told, deadlines } = createFixture(1_000_000 + start)
        deadlines.set(createNode('a'), afterMs)
        clock.advance(Math.max(0, afterMs - 1))
        if (afterMs > 0) expect(told, `${start} + ${afterMs}, early`).toEqual([])
        clock.advance(RESOLUTION + 1)
        expect(told, `${start} + ${afterMs}, late`).toEqual(['a'])
        expect(deadlines.size()).toBe(0)
      }
    }
  })

  test('further away than the wheel is long waits for its own turn', () => {
    const { clock, told, deadlines } = createFixture()
    const hour = 3_600_000
    deadlines.set(createNode('hour'), hour)
    clock.advance(hour - 1)
    expect(told).toEqual([])
    clock.advance(RESOLUTION + 1)
    expect(told).toEqual(['hour'])
  })

  test('that is cleared does not expire, and clearing it again is harmless', () => {
    const { clock, told, deadlines } = createFixture()
    const node = createNode('a')
    deadlines.clear(node)
    deadlines.set(node, 10)
    deadlines.clear(node)
    deadlines.clear(node)
    expect(deadlines.size()).toBe(0)
    clock.advance(1000)
    expect(told).toEqual([])
  })

  test('that is set again has its new time only', () => {
    const { clock, told, deadlines } = createFixture()
    const node = createNode('a')
    deadlines.set(node, 10)
    deadlines.set(node, 500)
    expect(deadlines.size()).toBe(1)
    clock.advance(499)
    expect(told).toEqual([])
    clock.advance(RESOLUTION + 1)
    expect(told).toEqual(['a'])
  })

  test('can be set from the moment its caller has just looked up', () => {
    const { clock, told, deadlines } = createFixture()
    deadlines.set(createNode('a'), 100, clock.now() - 90)
    clock.advance(10 + RESOLUTION)
    expect(told).toEqual(['a'])
  })

  test('expires after a time in which nothing ran, however long', () => {
    const { clock, told, deadlines } = createFixture()
    deadlines.set(createNode('a'), 10)
    deadlines.set(createNode('b'), 100_000)
    clock.advance(1_000_000)
    expect(told.sort()).toEqual(['a', 'b'])
  })
})

describe('who is told of a deadline', () => {
  test('may clear one that is due in the same turn', () => {
    const { clock, told, deadlines, whenExpired } = createFixture()
    const nodes = ['a', 'b', 'c'].map(createNode)
    whenExpired(node => {
      if (node.name === 'a') deadlines.clear(nodes[1]!)
    })
    for (const node of nodes) deadlines.set(node, 10)
    clock.advance(100)
    expect(told).toEqual(['a', 'c'])
    expect(deadlines.size()).toBe(0)
  })

  test('may set one anew that is due in the same turn', () => {
    const { clock, told, deadlines, whenExpired } = createFixture()
    const nodes = ['a', 'b', 'c'].map(createNode)
    whenExpired(node => {
      if (node.name === 'a') deadlines.set(nodes[1]!, 1000)
    })
    for (const node of nodes) deadlines.set(node, 10)
    clock.advance(100)
    expect(told).toEqual(['a', 'c'])
    clock.advance(1000)
    expect(told).toEqual(['a', 'c', 'b'])
  })

  test('may set the very same one again, at once, without end', () => {
    const { clock, told, deadlines, whenExpired } = createFixture()
    whenExpired(node => deadlines.set(node, 0))
    deadlines.set(createNode('a'), 0)
    clock.advance(10 * RESOLUTION)
    expect(told.length).toBeWithin(9, 12)
  })

  test('may throw: the others expire all the same', () => {
    const { clock, told, deadlines, whenExpired } = createFixture()
    whenExpired(node => {
      if (node.name === 'a') throw new Error('a fault')
    })
    for (const name of ['a', 'b']) deadlines.set(createNode(name), 10)
    expect(() => clock.advance(RESOLUTION)).toThrow('a fault')
    clock.advance(2 * RESOLUTION)
    expect(told).toEqual(['a', 'b'])
    expect(deadlines.size()).toBe(0)
  })
})

describe('the timer', () => {
  test('runs only while there are deadlines', () => {
    const { clock, deadlines } = createFixture()
    expect(clock.pending()).toBe(0)
    deadlines.set(createNode('a'), 10)
    expect(clock.pending()).toBe(1)
    deadlines.set(createNode('b'), 10)
    expect(clock.pending()).toBe(1)
    clock.advance(1000)
    expect(clock.pending()).toBe(0)
  })

  test('stops when it is told to, and starts again with the next deadline', () => {
    const { clock, told, deadlines } = createFixture()
    deadlines.set(createNode('a'), 10)
    deadlines.stop()
    clock.advance(1000)
    expect(told).toEqual([])
    expect(clock.pending()).toBe(0)
    deadlines.set(createNode('b'), 10)
    clock.advance(100)
    expect(told.sort()).toEqual(['a', 'b'])
  })
})

test('whatever is set and cleared, also from within: every deadline expires once, in time, or was cleared', () => {
  repeatedly(random => {
    const { clock, deadlines, whenExpired } = createFixture(random.between(1, 10_000_000))
    const nodes = Array.from({ length: 12 }, (_, index) => createNode(`${index}`))
    const expected = new Map<Node, number>()
    const act = (): void => {
      const node = nodes[random.between(0, nodes.length)]!
      if (random.between(0, 4) === 0) {
        deadlines.clear(node)
        expected.delete(node)
      } else {
        const afterMs = random.between(0, random.between(0, 5) === 0 ? 60_000 : 300)
        deadlines.set(node, afterMs)
        expected.set(node, clock.now() + afterMs)
      }
    }
    whenExpired(node => {
      const due = expected.get(node)
      if (due === undefined) throw new Error(`${node.name} expired without a deadline`)
      if (clock.now() < due) throw new Error(`${node.name} expired ${due - clock.now()} ms early`)
      if (clock.now() - due > RESOLUTION) throw new Error(`${node.name} expired ${clock.now() - due} ms late`)
      expected.delete(node)
      for (let count = random.between(0, 3); count > 0; count--) act()
    })
    for (let step = 0; step < 40; step++) {
      for (let count = random.between(0, 5); count > 0; count--) act()
      clock.advance(random.between(0, 400))
      expect(deadlines.size()).toBe(expected.size)
      for (const [node, due] of expected) {
        if (clock.now() - due > RESOLUTION) throw new Error(`${node.name} is ${clock.now() - due} ms overdue`)
      }
    }
  }, 3)
})

test('on the real clock no deadline is early', async () => {
  const count = 100
  const left: number[] = []
  const due = new Map<DeadlineNode, number>()
  const deadlines = createDeadlines<Node>(systemClock, 20, node => {
    left.push(due.get(node)! - systemClock.now())
  })
  for (let number = 0; number < count; number++) {
    const node = createNode(`${number}`)
    due.set(node, systemClock.now() + number * 3)
    deadlines.set(node, number * 3)
  }
  await until('all of them', () => left.length === count)
  expect(Math.max(...left)).toBeLessThanOrEqual(0)
})
