/** A reconnect that proves it is the same worker (`docs/protocol/json.md#reattach`). */
import { describe, expect, test } from 'bun:test'
import {
  announce,
  createWorld,
  type Message,
  type Puppet,
  registerFunction,
  registerTrigger,
  registerType,
  unregisterFunction,
  type World,
} from '../support/world.ts'
import { answererOf, outline } from './support.ts'

const RECLAIM = 10_000

function reattach(to: Puppet, token: string | undefined = to.token): Message {
  return { type: 'reattach', previous_worker_id: to.id, reattach_token: token }
}

/** Frames a watcher of `engine::workers-available` would be fired for, as `event who`. */
function watchWorkers(world: World): () => string[] {
  let seen: string[] = []
  world.engine.state.watchers.add(change => {
    if (change.change === 'workerChanged') seen.push(`${change.event} ${change.workerId}`)
  })
  return () => {
    const events = seen
    seen = []
    return events
  }
}

describe('reattach', () => {
  test('with the right token ends the earlier connection before the next frame is read', () => {
    const world = createWorld()
    const a = world.join({ name: 'orders' })
    a.says(registerFunction('x::f'))
    const again = world.connect()
    again.says(reattach(a), announce({ name: 'orders', version: '0.23.0' }), registerFunction('x::f'))
    expect(a.link.ended).toBe('cut')
    expect(again.hears()).toEqual([])
    expect(answererOf(world, 'x::f', { a, again })).toBe('again')
  })

  test('is answered with nothing', () => {
    const world = createWorld()
    const a = world.join()
    const again = world.connect()
    again.says(reattach(a))
    expect(again.hears()).toEqual([])
  })

  test('tears the earlier connection down once, also when its socket closes afterwards', () => {
    const world = createWorld()
    const events = watchWorkers(world)
    const a = world.join()
    const again = world.connect()
    events()
    again.says(reattach(a))
    a.leaves()
    a.leaves()
    expect(events()).toEqual([`worker_disconnected ${a.id}`])
  })

  test('what the evicted connection still sends is not read', () => {
    const world = createWorld()
    const a = world.join()
    const again = world.connect()
    again.says(reattach(a))
    a.says(registerFunction('x::late'))
    expect(answererOf(world, 'x::late', { a })).toBe('nobody')
  })

  test('the late clean-up of the earlier connection leaves alone what the new one registered', () => {
    const world = createWorld()
    const provider = world.join()
    provider.says(registerType('tick'))
    const a = world.join({ name: 'orders' })
    a.says(registerFunction('x::f'), registerTrigger('T1', 'tick', 'x::f'))
    const again = world.connect()
    again.says(announce({ name: 'orders-2' }), registerTrigger('T1', 'tick', 'x::f'))
    a.leaves()
    again.says(registerFunction('x::f'))
    expect(outline(provider.hears())).toEqual(['registertrigger T1', 'registertrigger T1'])
    expect(world.engine.state.directory.triggers.bindings.get('T1')?.ownerId).toBe(again.id)
  })

  test.each([
    ['a wrong token', (a: Puppet, _: Puppet) => reattach(a, '00000000-0000-4000-8000-000000000000')],
    ['no token', (a: Puppet, _: Puppet) => ({ type: 'reattach', previous_worker_id: a.id })],
    ['the token of another connection', (a: Puppet, b: Puppet) => reattach(a, b.token)],
    ['an unknown worker', (a: Puppet, _: Puppet) => reattach({ ...a, id: 'nobody' })],
    ['itself', (_: Puppet, b: Puppet) => reattach(b)],
  ])('with %s changes nothing and the connection goes on', (_, message) => {
    const world = createWorld()
    const a = world.join()
    a.says(registerFunction('x::f'))
    const b = world.join()
    b.says(message(a, b))
    expect([a.link.ended, b.link.ended]).toEqual([undefined, undefined])
    expect(answererOf(world, 'x::f', { a })).toBe('a')
    b.says({ type: 'ping' })
    expect(b.hears()).toEqual([{ type: 'pong' }])
    expect(world.log.lines.map(({ message }) => message)).toEqual(
      expect.arrayContaining([expect.stringContaining('reattach ignored')]),
    )
  })

  test('never evicts a built-in', () => {
    const world = createWorld()
    const state = world.builtIn()
    world.connect().says(reattach(state))
    expect(state.link.ended).toBeUndefined()
  })

  test('to a connection that is gone already is no fault', () => {
    const world = createWorld()
    const a = world.join()
    a.leaves()
    world.connect().says(reattach(a))
    expect(world.log.warnings()).toEqual([])
  })
})

describe('a lost worker that comes back with its token', () => {
  test('gets its name and its ids back from a stranger that took them in between', () => {
    const world = createWorld()
    const a = world.join({ name: 'orders' })
    a.says(registerFunction('x::f'))
    a.leaves()
    const stranger = world.join({ name: 'orders' })
    stranger.says(registerFunction('x::f'))
    const again = world.connect()
    again.says(reattach(a), announce({ name: 'orders', version: '0.23.0' }), registerFunction('x::f'))
    expect(again.link.ended).toBeUndefined()
    expect(stranger.link.ended).toBe('orderly')
    expect(stranger.hears()).toMatchObject([
      { type: 'registrationrejected', code: 'WORKER_NAMESPACE_CONFLICT', owner_worker_id: again.id },
    ])
    expect(answererOf(world, 'x::f', { again, stranger })).toBe('again')
  })

  test('pushes a stranger with another name into line; the stranger hears of it and answers again later', () => {
    const world = createWorld()
    const a = world.join({ name: 'orders' })
    a.says(registerFunction('x::f'))
    a.leaves()
    const stranger = world.join()
    stranger.says(registerFunction('x::f'))
    const again = world.connect()
    again.says(reattach(a), announce({ name: 'orders' }), registerFunction('x::f'))
    expect(stranger.hears()).toMatchObject([
      { type: 'registrationrejected', code: 'FUNCTION_NAMESPACE_CONFLICT', owner_worker_id: again.id },
    ])
    expect(answererOf(world, 'x::f', { again, stranger })).toBe('again')
    again.leaves()
    expect(answererOf(world, 'x::f', { again, stranger })).toBe('stranger')
  })

  test('gets its ids back from a claimant that waited for them', () => {
    const world = createWorld()
    const a = world.join()
    const waiting = world.join()
    for (const worker of [a, waiting]) worker.says(registerFunction('x::f'))
    const again = world.connect()
    again.says(reattach(a))
    expect(answererOf(world, 'x::f', { a, waiting, again })).toBe('waiting')
    again.says(announce(), registerFunction('x::f'))
    expect(answererOf(world, 'x::f', { a, waiting, again })).toBe('again')
  })

  test('has no right to ids it did not hold', () => {
    const world = createWorld()
    const owner = world.join()
    owner.says(registerFunction('x::f'))
    const a = world.join()
    a.says(registerFunction('x::f'), registerFunction('x::own'))
    a.leaves()
    const again = world.connect()
    again.says(reattach(a), announce(), registerFunction('x::f'))
    expect(again.hears()).toMatchObject([{ code: 'FUNCTION_NAMESPACE_CONFLICT', owner_worker_id: owner.id }])
    expect(answererOf(world, 'x::f', { owner, again })).toBe('owner')
  })

  test('has no right to them without its token', () => {
    const world = createWorld()
    const a = world.join()
    a.says(registerFunction('x::f'))
    a.leaves()
    const stranger = world.join()
    stranger.says(registerFunction('x::f'))
    const again = world.connect()
    again.says(reattach(a, 'wrong'), announce(), registerFunction('x::f'))
    expect(answererOf(world, 'x::f', { stranger, again })).toBe('stranger')
  })

  test('comes too late when the time is over', () => {
    const world = createWorld()
    const a = world.join({ name: 'orders' })
    a.says(registerFunction('x::f'))
    a.leaves()
    const stranger = world.join()
    stranger.says(registerFunction('x::f'))
    world.clock.advance(RECLAIM + 1)
    const again = world.connect()
    again.says(reattach(a), announce(), registerFunction('x::f'))
    expect(answererOf(world, 'x::f', { stranger, again })).toBe('stranger')
  })

  test('comes in time when it reconnects in time, however long its announce takes', () => {
    const world = createWorld()
    const a = world.join()
    a.says(registerFunction('x::f'))
    a.leaves()
    const stranger = world.join()
    stranger.says(registerFunction('x::f'))
    world.clock.advance(RECLAIM - 1)
    const again = world.connect()
    again.says(reattach(a))
    world.clock.advance(1000)
    again.says(announce(), registerFunction('x::f'))
    expect(answererOf(world, 'x::f', { stranger, again })).toBe('again')
  })

  test('takes each thing back once: afterwards the rules are the same for all', () => {
    const world = createWorld()
    const a = world.join({ name: 'orders' })
    a.says(registerFunction('x::f'))
    a.leaves()
    const again = world.connect()
    again.says(reattach(a), announce({ name: 'orders', version: '0.23.0' }), registerFunction('x::f'))
    again.says(unregisterFunction('x::f'), announce({ name: 'renamed', version: '0.23.0' }))
    const next = world.join({ name: 'orders' })
    next.says(registerFunction('x::f'))
    again.says(registerFunction('x::f'))
    expect(answererOf(world, 'x::f', { again, next })).toBe('next')
    again.says(announce({ name: 'orders', version: '0.23.0' }))
    expect(again.link.ended).toBe('orderly')
    expect(next.link.ended).toBeUndefined()
  })

  test.each([
    ['the same name', 'orders'],
    ['another name', 'rival'],
  ])('never starts a loop with a stranger that comes back with its own token and %s', (_, rivalName) => {
    const world = createWorld()
    const a = world.join({ name: 'orders' })
    a.says(registerFunction('x::f'))
    a.leaves()
    let stranger = world.join({ name: 'orders' })
    stranger.says(registerFunction('x::f'))
    const owner = world.connect()
    owner.says(reattach(a), announce({ name: 'orders', version: '0.23.0' }), registerFunction('x::f'))
    for (let round = 0; round < 5; round++) {
      const rival = world.connect()
      rival.says(
        reattach(stranger),
        announce({ name: rivalName, version: '0.23.0' }),
        registerFunction('x::f'),
      )
      expect(owner.link.ended).toBeUndefined()
      expect(answererOf(world, 'x::f', { owner, rival })).toBe('owner')
      rival.leaves()
      stranger = rival
    }
  })
})

describe('a worker that was cut off before it had read who it is on its new connection', () => {
  const named = announce({ name: 'orders', version: '0.23.0' })

  test('is known by the proof of the connection before, while the engine still sees the one it was cut off from', () => {
    const world = createWorld()
    const a = world.join({ name: 'orders' })
    a.says(registerFunction('x::f'))
    const unread = world.connect()
    unread.says(reattach(a), named, registerFunction('x::f'))
    const again = world.connect()
    again.says(reattach(a), named, registerFunction('x::f'))
    expect(again.hears()).toEqual([])
    expect([unread.link.ended, again.link.ended]).toEqual(['cut', undefined])
    expect(answererOf(world, 'x::f', { a, unread, again })).toBe('again')
  })

  test('is known when that happens to it several times', () => {
    const world = createWorld()
    const a = world.join({ name: 'orders' })
    let last = a
    for (let time = 0; time < 5; time++) {
      last = world.connect()
      last.says(reattach(a), named, registerFunction('x::f'))
      expect(last.hears()).toEqual([])
    }
    expect(answererOf(world, 'x::f', { last })).toBe('last')
    expect(world.engine.state.directory.workers.size).toBe(1)
  })

  test('is known when the engine has never seen the connection before: it has been started anew', () => {
    const world = createWorld()
    const a = { ...world.connect(), id: crypto.randomUUID() }
    const unread = world.connect()
    unread.says(reattach(a), named)
    const again = world.connect()
    again.says(reattach(a), named)
    expect([unread.link.ended, again.link.ended]).toEqual(['cut', undefined])
  })

  test('gets back what a stranger took after the engine had seen the end of it', () => {
    const world = createWorld()
    const a = world.join({ name: 'orders' })
    a.leaves()
    const unread = world.connect()
    unread.says(reattach(a), named, registerFunction('x::f'))
    unread.leaves()
    const stranger = world.join({ name: 'orders' })
    stranger.says(registerFunction('x::f'))
    const again = world.connect()
    again.says(reattach(a), named, registerFunction('x::f'))
    expect([stranger.link.ended, again.link.ended]).toEqual(['orderly', undefined])
    expect(answererOf(world, 'x::f', { stranger, again })).toBe('again')
  })

  test('is not ended by what it had sent before it was cut off', () => {
    const world = createWorld()
    const a = world.join({ name: 'orders' })
    const unread = world.connect()
    const again = world.connect()
    again.says(reattach(a), named)
    unread.says(reattach(a), named)
    expect([unread.link.ended, again.link.ended]).toEqual(['orderly', undefined])
  })

  test('is not ended by its own proof when it says it again', () => {
    const world = createWorld()
    const a = world.join({ name: 'orders' })
    const again = world.connect()
    again.says(reattach(a), reattach(a), named)
    expect(again.link.ended).toBeUndefined()
    expect(again.hears()).toEqual([])
  })

  test.each([
    ['a wrong token', (a: Puppet, b: Puppet) => reattach(a, b.token)],
    ['the token of a connection that was followed by a newer one', (a: Puppet) => reattach(a)],
  ])('is not known by %s', (_, proof) => {
    const world = createWorld()
    const a = world.join({ name: 'orders' })
    const b = world.connect()
    b.says(reattach(a), named)
    const c = world.connect()
    c.says(reattach(b), named)
    const other = world.connect()
    other.says(proof(a, b), named)
    expect([c.link.ended, other.link.ended]).toEqual([undefined, 'orderly'])
  })

  test('leaves nothing behind when it is not remembered any more', () => {
    const world = createWorld()
    const a = world.join({ name: 'orders' })
    const b = world.connect()
    b.says(reattach(a), named)
    b.leaves()
    world.clock.advance(RECLAIM + 1)
    const stranger = world.join({ name: 'orders' })
    const again = world.connect()
    again.says(reattach(a), named)
    expect([stranger.link.ended, again.link.ended]).toEqual([undefined, 'orderly'])
  })
})

test('64 reconnects in a row leave the registrations as they were', () => {
  const world = createWorld()
  const provider = world.join()
  provider.says(registerType('tick'))
  let worker = world.join({ name: 'orders' })
  const registrations = [registerFunction('x::f'), registerTrigger('T1', 'tick', 'x::f')]
  worker.says(...registrations)
  for (let cut = 0; cut < 64; cut++) {
    const again = world.connect()
    // The engine sees the end of the earlier socket before, between, after, or never.
    if (cut % 4 === 0) worker.leaves()
    again.says(reattach(worker))
    if (cut % 4 === 1) worker.leaves()
    again.says(announce({ name: 'orders', version: '0.23.0' }), ...registrations)
    if (cut % 4 === 2) worker.leaves()
    expect(again.hears()).toEqual([])
    worker = again
  }
  const { workers, functions, triggers } = world.engine.state.directory
  expect([workers.size, functions.inDefault.size, triggers.bindings.size]).toEqual([2, 1, 1])
  expect(answererOf(world, 'x::f', { worker })).toBe('worker')
  expect(triggers.bindings.get('T1')?.providerId).toBe(provider.id)
})
