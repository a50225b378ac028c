/** A client that does the same wrong thing again and again costs a few log lines; the counts are kept whole. */
import { describe, expect, test } from 'bun:test'
import {
  announce,
  boundAnswer,
  createWorld,
  inMsgpack,
  type Puppet,
  registerFunction,
  registerTrigger,
  registerType,
  unregisterType,
  type World,
} from '../support/world.ts'

const TIMES = 2000
/** 1, 10, 100 and 1000 of them. */
const MILESTONES = 4

function warningsOf(world: World, { id }: Puppet): Record<string, number> {
  const { connections, directory } = world.engine.state
  const registered = directory.workers.get(id)?.warnings ?? []
  return Object.fromEntries([...registered, ...(connections.get(id)?.warnings ?? [])])
}

function lastCount(world: World): unknown {
  return world.log.lines.filter(({ level }) => level === 'warn').at(-1)?.fields.count
}

describe('a connection that repeats', () => {
  test.each<[string, string, (other: Puppet) => object]>([
    ['a reattach that names nobody', 'reattach', () => ({ type: 'reattach', previous_worker_id: 'x' })],
    [
      'a reattach with a wrong token',
      'reattach',
      ({ id }) => ({ type: 'reattach', previous_worker_id: id, reattach_token: 'x' }),
    ],
    ['an announce with a blank namespace', 'announce', () => announce({ namespace: ' ' })],
    ['an announce of another namespace', 'announce', () => announce({ namespace: 'elsewhere' })],
  ])('%s is told of at milestones', (_, kind, message) => {
    const world = createWorld()
    const [other, a] = [world.join(), world.join()]
    for (let i = 0; i < TIMES; i++) a.says(message(other) as never)
    expect([world.log.warnings().length, lastCount(world)]).toEqual([MILESTONES, 1000])
    expect(warningsOf(world, a)).toEqual({ [kind]: TIMES })
  })

  test('does not keep the lines of another one away', () => {
    const world = createWorld()
    const [a, b] = [world.join(), world.join()]
    const wrong = { type: 'reattach', previous_worker_id: 'x' }
    for (let i = 0; i < 50; i++) a.says(wrong)
    b.says(wrong)
    expect(world.log.lines.filter(({ fields }) => fields.worker_id === b.id)).toHaveLength(1)
  })

  test('a trigger that is parked each time is told of ten times, and then at milestones', () => {
    const world = createWorld()
    const a = world.join()
    for (let i = 0; i < TIMES; i++) a.says(registerTrigger('T1', 'nobody::has'))
    expect([world.log.warnings().length, lastCount(world)]).toEqual([12, 1000])
    expect(warningsOf(world, a)).toEqual({ parked: TIMES })
  })

  test('a takeover between clients before 0.23 is told of at milestones', () => {
    const world = createWorld()
    const old = [world.join({ version: '0.22.1' }), world.join({ version: '0.22.1' })]
    for (let i = 0; i < TIMES; i++) old[i % 2]!.says(registerFunction('x::f'))
    expect(world.log.warnings().length).toBeLessThanOrEqual(2 * MILESTONES)
  })

  test('answers for a trigger of another provider are told of at milestones', () => {
    const world = createWorld()
    const [provider, owner, stranger] = [world.join(), world.join(), world.join()]
    provider.says(registerType('tick'))
    owner.says(registerTrigger('T1', 'tick'))
    const [bind] = provider.hears()
    for (let i = 0; i < TIMES; i++) stranger.says(boundAnswer(bind, { code: 'no', message: 'no' }))
    expect(world.log.warnings()).toHaveLength(MILESTONES)
  })
})

describe('a provider that comes and goes', () => {
  test('with many triggers of many owners is worth a few lines, whose number is bounded', () => {
    const world = createWorld()
    const provider = world.join()
    provider.says(registerType('tick'))
    for (let i = 0; i < 50; i++) world.join().says(registerTrigger(`T${i}`, 'tick'))
    for (let i = 0; i < 200; i++) provider.says(unregisterType('tick'), registerType('tick'))
    // Ten named triggers with ten lines each and their milestones, and the milestones of the sums.
    expect(world.log.warnings().length).toBeLessThan(130)
    expect(warningsOf(world, provider)).toEqual({ 'triggers lost their provider': 200 })
  })

  test('and refuses the same trigger each time does not flood the log', () => {
    const world = createWorld()
    const [provider, owner] = [world.join(), world.join()]
    provider.says(registerType('tick'))
    owner.says(registerTrigger('T1', 'tick'))
    const [bind] = provider.hears()
    const refusal = boundAnswer(bind, { code: 'bad_config', message: 'no' })
    for (let i = 0; i < TIMES; i++) provider.says(registerType('tick'), refusal)
    expect(warningsOf(world, owner)).toEqual({ parked: TIMES, refused: TIMES })
    expect(world.log.warnings().length).toBeLessThan(70)
  })
})

describe('a python client that takes small messages only', () => {
  // Python clients speak JSON.
  test.skipIf(inMsgpack)('and asks for large ones is told of at milestones', () => {
    const world = createWorld({ limits: { smallClientMessageBytes: 100 } })
    const worker = world.join()
    worker.says(registerFunction('x::f'))
    const old = world.join({ runtime: 'python', version: '0.22.1' })
    for (let i = 0; i < 500; i++) {
      const invocation_id = old.calls('x::f')
      worker.says({ type: 'invocationresult', invocation_id, function_id: 'x::f', result: 'r'.repeat(200) })
    }
    expect(world.log.warnings()).toHaveLength(3)
  })
})
