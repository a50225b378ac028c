/** Who a call comes from, also when the caller says its name after it. */
import { expect, test } from 'bun:test'
import { limits } from '../../src/protocol/limits.ts'
import { createFindCaller } from '../../src/threads/callers.ts'
import { announce, createWorld } from '../support/world.ts'

function setUp() {
  const world = createWorld()
  return { world, find: createFindCaller(world.engine.state, world.clock) }
}

test('a worker is known by its name, in another namespace with that before it', () => {
  const { world, find } = setUp()
  expect(find(world.join({ name: 'orders' }).id)).toEqual({ name: 'orders', builtIn: false })
  const inShop = world.join({ name: 'orders', namespace: 'shop' })
  expect(find(inShop.id)).toEqual({ name: 'shop/orders', builtIn: false })
  expect(find('nobody')).toBeUndefined()
})

test('of a new connection the name is waited for', async () => {
  const { world, find } = setUp()
  const puppet = world.connect()
  const first = find(puppet.id)
  const second = find(puppet.id)
  puppet.says(announce({ name: 'orders', version: '0.22.1' }))
  expect(await Promise.all([first, second])).toEqual([
    { name: 'orders', builtIn: false },
    { name: 'orders', builtIn: false },
  ])
})

test('one that says none is waited for once', async () => {
  const { world, find } = setUp()
  const puppet = world.connect()
  const watchers = world.engine.state.watchers.size
  const first = find(puppet.id)
  world.clock.advance(limits.quietGraceMs)
  expect(await first).toBeUndefined()
  expect(find(puppet.id)).toBeUndefined()
  expect(world.engine.state.watchers.size).toBe(watchers)
})

test('one that leaves is not waited for', async () => {
  const { world, find } = setUp()
  const puppet = world.connect()
  const first = find(puppet.id)
  puppet.leaves()
  expect(await first).toBeUndefined()
})
