/** Worker names are leased: one live owner per namespace (`docs/protocol/json.md#worker-names`). */
import { describe, expect, test } from 'bun:test'
import { limits } from '../../src/protocol/limits.ts'
import { announce, createWorld, type Puppet, registerFunction } from '../support/world.ts'
import { answererOf } from './support.ts'

const NEW = '0.23.0'
const OLD = '0.22.1'

describe('a worker name', () => {
  test('held by a live worker is refused: the newcomer hears why, then its socket is closed', () => {
    const world = createWorld()
    const a = world.join({ name: 'orders' })
    const b = world.join({ name: 'orders' })
    expect(b.hears()).toEqual([
      {
        type: 'registrationrejected',
        code: 'WORKER_NAMESPACE_CONFLICT',
        namespace: 'default',
        worker_name: 'orders',
        owner_worker_id: a.id,
      },
    ])
    expect(b.link.ended).toBe('orderly')
    expect(a.link.ended).toBeUndefined()
    expect(world.engine.state.connections.has(b.id)).toBe(false)
    expect(world.engine.state.directory.workers.has(b.id)).toBe(false)
    expect(world.clock.pending()).toBe(0)
  })

  test('that is refused leaves nothing of its connection, neither held nor sent later', () => {
    const world = createWorld()
    world.join({ name: 'orders' })
    const b = world.connect()
    b.says(registerFunction('x::f'), announce({ name: 'orders', version: NEW }), registerFunction('x::g'))
    expect(answererOf(world, 'x::f', { b })).toBe('nobody')
    expect(answererOf(world, 'x::g', { b })).toBe('nobody')
  })

  test('is free again when its holder leaves', () => {
    const world = createWorld()
    world.join({ name: 'orders' }).leaves()
    expect(world.join({ name: 'orders' }).link.ended).toBeUndefined()
  })

  test('is free again when its holder takes another name', () => {
    const world = createWorld()
    const a = world.join({ name: 'orders' })
    a.says(announce({ name: 'invoices', version: NEW }))
    expect(world.join({ name: 'orders' }).link.ended).toBeUndefined()
    expect(world.join({ name: 'invoices' }).link.ended).toBe('orderly')
  })

  test('may be announced again by its holder', () => {
    const world = createWorld()
    const a = world.join({ name: 'orders' })
    a.says(announce({ name: 'orders', version: NEW, description: 'once more' }))
    expect(a.link.ended).toBeUndefined()
    expect(world.engine.state.directory.workers.get(a.id)?.announcement?.description).toBe('once more')
  })

  test('refused on a rename ends the connection and frees its functions', () => {
    const world = createWorld()
    world.join({ name: 'orders' })
    const b = world.join({ name: 'invoices' })
    b.says(registerFunction('x::f'), announce({ name: 'orders', version: NEW }))
    expect(b.link.ended).toBe('orderly')
    expect(answererOf(world, 'x::f', { b })).toBe('nobody')
    expect(world.join({ name: 'invoices' }).link.ended).toBeUndefined()
  })

  test('is one name however it is spelled with invisible characters', () => {
    const world = createWorld()
    world.join({ name: 'orders' })
    expect(world.join({ name: ' or\u0007ders\u2066' }).link.ended).toBe('orderly')
  })

  test('belongs to its namespace', () => {
    const world = createWorld()
    world.join({ name: 'orders' })
    expect(world.join({ name: 'orders', namespace: 'team' }).link.ended).toBeUndefined()
    expect(world.join({ name: 'orders', namespace: 'team' }).link.ended).toBe('orderly')
  })

  test.each([[undefined], [''], ['\u0000'], [7]])('that is not usable (%p) is not leased', name => {
    const world = createWorld()
    expect([world.join({ name }), world.join({ name })].map(worker => worker.link.ended)).toEqual([
      undefined,
      undefined,
    ])
  })
})

describe('clients before 0.23 do not know leases', () => {
  test('two instances of one process share its default name', () => {
    const world = createWorld()
    const [a, b] = [
      world.join({ name: 'host:42', version: OLD }),
      world.join({ name: 'host:42', version: OLD }),
    ]
    a.says(registerFunction('a::f'))
    b.says(registerFunction('b::f'))
    expect(answererOf(world, 'a::f', { a, b })).toBe('a')
    expect(answererOf(world, 'b::f', { a, b })).toBe('b')
  })

  test('they neither refuse a newer client of that name nor are refused', () => {
    const world = createWorld()
    const old = world.join({ name: 'orders', version: OLD })
    const fresh = world.join({ name: 'orders', version: NEW })
    const older = world.join({ name: 'orders', version: OLD })
    expect([old, fresh, older].map(worker => worker.link.ended)).toEqual([undefined, undefined, undefined])
  })

  test('a worker that announces an older version later gives its lease up', () => {
    const world = createWorld()
    const a = world.join({ name: 'orders', version: NEW })
    a.says(announce({ name: 'orders', version: OLD }))
    expect(world.join({ name: 'orders', version: NEW }).link.ended).toBeUndefined()
  })
})

test('commands of the command line share one name, several at a time', () => {
  const world = createWorld()
  const [a, b] = [world.join({ name: 'iii-cli:trigger' }), world.join({ name: 'iii-cli:trigger' })]
  expect([a.link.ended, b.link.ended]).toEqual([undefined, undefined])
})

test('two instances of one process with names of their own live side by side', () => {
  const world = createWorld()
  const [a, b] = [world.join({ name: 'host:42/a', pid: 42 }), world.join({ name: 'host:42/b', pid: 42 })]
  a.says(registerFunction('a::f'))
  b.says(registerFunction('b::f'))
  expect(answererOf(world, 'a::f', { a, b })).toBe('a')
  expect(answererOf(world, 'b::f', { a, b })).toBe('b')
})

test('a built-in holds no lease: a worker may carry its name', () => {
  const world = createWorld()
  world.builtIn('iii-http')
  expect(world.join({ name: 'iii-http' }).link.ended).toBeUndefined()
})

describe('the holder of a name that another worker announces', () => {
  /** Lets a worker be asked for signs of life; returns what gives one, for each time it was asked. */
  function probed(holder: Puppet): (() => void)[] {
    const asked: (() => void)[] = []
    const probe = (heard: () => void): void => {
      asked.push(() => {
        heard()
        // What comes over a link is followed by everything that is caused by it.
        holder.says({ type: 'ping' })
      })
    }
    Object.assign(holder.link, { probe })
    return asked
  }

  function contend() {
    const world = createWorld()
    const holder = world.join({ name: 'orders' })
    const asked = probed(holder)
    const other = world.join({ name: 'orders' })
    return { world, holder, asked, other }
  }

  test('keeps it by a sign of life', () => {
    const { world, holder, asked, other } = contend()
    expect([asked.length, other.link.ended]).toEqual([1, undefined])
    asked[0]!()
    expect([holder.link.ended, other.link.ended]).toEqual([undefined, 'orderly'])
    expect(world.clock.pending()).toBe(0)
    holder.leaves()
  })

  test('leaves it when its connection ends meanwhile; what the other one had registered is registered then', () => {
    const { world, holder, asked, other } = contend()
    other.says(registerFunction('x::f'))
    expect(answererOf(world, 'x::f', { other })).toBe('nobody')
    holder.leaves()
    asked[0]!()
    expect(other.link.ended).toBeUndefined()
    expect(answererOf(world, 'x::f', { other })).toBe('other')
  })

  test('counts as lost when it gives none in time', () => {
    const { world, holder, other } = contend()
    world.clock.advance(limits.signOfLifeMs - 1)
    expect([holder.link.ended, other.link.ended]).toEqual([undefined, undefined])
    world.clock.advance(1)
    expect([holder.link.ended, other.link.ended]).toEqual(['cut', undefined])
    expect(other.hears()).toEqual([])
  })

  test('that was cut because it was busy comes back with its token and has its name again', () => {
    const { world, holder, other } = contend()
    world.clock.advance(limits.signOfLifeMs)
    const again = world.connect()
    const reattach = { type: 'reattach', previous_worker_id: holder.id, reattach_token: holder.token }
    again.says(reattach, announce({ name: 'orders', version: NEW }))
    expect([again.link.ended, other.link.ended]).toEqual([undefined, 'orderly'])
  })

  test('is not cut while it is held back: nothing is read of it', () => {
    const { world, holder, other } = contend()
    const slow = world.join()
    slow.says(registerFunction('slow::f'))
    slow.link.unreadBytes = limits.outboundHighWaterBytes
    world.clock.advance(limits.signOfLifeMs - 1)
    holder.calls('slow::f')
    world.clock.advance(1)
    expect([holder.link.ended, other.link.ended]).toEqual([undefined, 'orderly'])
  })

  test('is asked for each of several others, and one of them has the name when it is gone', () => {
    const { world, holder, asked, other } = contend()
    const third = world.join({ name: 'orders' })
    expect(asked).toHaveLength(2)
    holder.leaves()
    expect([other.link.ended, third.link.ended].sort()).toEqual(['orderly', undefined])
    expect(world.clock.pending()).toBe(0)
  })

  test('is left alone by another one that goes before it is known', () => {
    const { world, holder, asked, other } = contend()
    expect(world.clock.pending()).toBe(2)
    other.leaves()
    expect(world.clock.pending()).toBe(1)
    asked[0]!()
    expect(world.clock.pending()).toBe(0)
    expect(holder.link.ended).toBeUndefined()
  })
})
