/** What happens, and in which order, when a connection ends (`docs/protocol/json.md#the-end-of-a-connection`). */
import { describe, expect, test } from 'bun:test'
import { shards } from '../support/shape.ts'
import {
  createWorld,
  type Message,
  type Puppet,
  registerFunction,
  registerTrigger,
  registerType,
  type World,
} from '../support/world.ts'
import { leftovers, outline } from './support.ts'

const byTold = (one: string, other: string): number =>
  Number(other.startsWith('other:')) - Number(one.startsWith('other:'))

/** Lets a worker leave and keeps, in one list, what everyone is sent and what is announced about it. */
function chronicleOf(world: World, leaver: Puppet, others: Readonly<Record<string, Puppet>>): string[] {
  const events: string[] = []
  for (const [name, { link }] of Object.entries(others)) {
    const send = link.send.bind(link)
    link.send = frame => {
      events.push(`${name}: ${outline([frame as unknown as Message])[0]}`)
      send(frame)
    }
  }
  const observer: Parameters<typeof world.engine.state.watchers.add>[0] = change => {
    if (change.change === 'functionChanged')
      events.push(`${change.functionId} → ${change.workerId ?? 'nobody'}`)
    if (change.change === 'workerChanged') events.push(change.event)
  }
  world.engine.state.watchers.add(observer)
  leaver.leaves()
  world.engine.state.watchers.delete(observer)
  return events
}

describe('the end of a connection', () => {
  test('halts its calls, then takes its triggers, then parks what it provided, then is announced', () => {
    const world = createWorld()
    const [leaver, other] = [world.join({ name: 'leaver' }), world.join({ name: 'other' })]
    other.says(registerType('tock'))
    leaver.says(registerFunction('x::f'), registerType('tick'), registerTrigger('mine', 'tock'))
    other.says(registerTrigger('theirs', 'tick'))
    other.calls('x::f')
    const chronicle = chronicleOf(world, leaver, { other })
    const announced = ['x::f → nobody', 'worker_disconnected']
    // What those on other threads hear of it comes in the same order there, but not in time with this one.
    const told = ['other: invocationresult', 'other: unregistertrigger mine']
    expect(shards === 0 ? chronicle : chronicle.toSorted(byTold)).toEqual([...told, ...announced])
    expect(world.engine.state.directory.triggers.bindings.get('theirs')?.parkedReason).toBeDefined()
  })

  test('is announced after those that waited have taken over', () => {
    const world = createWorld()
    const [leaver, waiting] = [world.join(), world.join()]
    leaver.says(registerFunction('x::f'))
    waiting.says(registerFunction('x::f'))
    expect(chronicleOf(world, leaver, { waiting })).toEqual([`x::f → ${waiting.id}`, 'worker_disconnected'])
  })

  test('binds what others had with it to the next provider, itself never', () => {
    const world = createWorld()
    const [leaver, next, owner] = [
      world.join({ namespace: 'team' }),
      world.join(),
      world.join({ namespace: 'team' }),
    ]
    next.says(registerType('tick'))
    // The leaver provides the type in both places the owner's trigger could go to.
    leaver.says(registerType('tick'), registerType('tick', { namespace: 'default' }))
    owner.says(registerTrigger('T1', 'tick'))
    leaver.link.take()
    next.hears()
    leaver.leaves()
    expect(outline(next.hears())).toEqual(['registertrigger T1'])
    expect(world.engine.state.directory.triggers.bindings.get('T1')?.providerId).toBe(next.id)
  })

  test('says nothing to itself', () => {
    const world = createWorld()
    const leaver = world.join()
    leaver.says(registerType('tick'), registerTrigger('T1', 'tick'), registerFunction('x::f'))
    leaver.calls('x::f')
    leaver.hears()
    leaver.leaves()
    expect(leaver.link.ended).toBe('cut')
    expect(leaver.hears()).toEqual([])
  })

  test('happens once, however often it is said', () => {
    const world = createWorld()
    const [leaver, other] = [world.join(), world.join()]
    leaver.says(registerFunction('x::f'))
    other.calls('x::f')
    leaver.leaves()
    leaver.leaves()
    expect(other.hears()).toHaveLength(1)
  })

  test('has a line in the log with name and reason, when the worker had said who it is', () => {
    const world = createWorld()
    world.join({ name: 'shop' }).leaves()
    world.join({ name: 'iii-cli:trigger' }).leaves()
    world.connect().leaves()
    world.builtIn().leaves()
    expect(world.log.lines.filter(({ level }) => level === 'info')).toEqual([
      {
        level: 'info',
        message: 'worker left',
        fields: { worker_name: 'shop', reason: 'the connection was closed' },
      },
    ])
  })

  test('of all leaves nothing behind', () => {
    const world = createWorld()
    const workers = Array.from({ length: 10 }, (_, index) =>
      world.join({
        namespace: index % 2 === 0 ? 'team' : undefined,
        version: index % 3 === 0 ? '0.22.1' : '0.23.0',
      }),
    )
    for (const [index, worker] of workers.entries()) {
      worker.says(
        registerFunction('shared::f'),
        registerFunction(`own::${index}`),
        registerType('tick'),
        registerTrigger(`T${index}`, 'tick'),
        registerTrigger('shared', 'tick'),
      )
      worker.calls('shared::f', {}, { namespace: 'team' })
    }
    for (const worker of workers) worker.leaves()
    expect(leftovers(world)).toEqual({})
  })

  test('of the engine ends every connection and every timer', () => {
    const world = createWorld()
    const state = world.builtIn()
    state.says(registerFunction('state::get'))
    const [a, silent] = [world.join(), world.connect()]
    a.calls('state::get')
    silent.says(registerFunction('x::f'))
    world.engine.stop()
    expect([state, a, silent].map(worker => worker.link.ended)).toEqual(['cut', 'cut', 'cut'])
    expect(leftovers(world)).toEqual({})
  })
})
