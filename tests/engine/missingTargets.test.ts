/** Triggers whose function nobody has registered, and what is said about functions that are not there. */
import { describe, expect, test } from 'bun:test'
import { limits } from '../../src/protocol/limits.ts'
import { createWorld, registerFunction, registerTrigger, registerType, type World } from '../support/world.ts'
import { errorOf, leftovers } from './support.ts'

const complaints = (world: World): string[] =>
  world.log.warnings().filter(message => message.includes('the function of a trigger'))

const aMomentLater = (world: World): void => world.clock.advance(2 * limits.targetLookMs)

function createShop() {
  const world = createWorld()
  const [provider, owner] = [world.join(), world.join({ name: 'shop' })]
  provider.says(registerType('tick'))
  return { world, provider, owner }
}

describe('a trigger whose function is not there', () => {
  test('is told of once, a moment later, with the nearest id', () => {
    const { world, owner } = createShop()
    owner.says(registerFunction('shop::price'), registerTrigger('T1', 'tick', 'shop::prcie'))
    world.clock.advance(limits.targetLookMs - 1)
    expect(complaints(world)).toEqual([])
    aMomentLater(world)
    aMomentLater(world)
    expect(world.log.lines.filter(({ level }) => level === 'warn')).toEqual([
      {
        level: 'warn',
        message: "nobody has registered the function of a trigger; did you mean 'shop::price'?",
        fields: { trigger_id: 'T1', trigger_type: 'tick', function_id: 'shop::prcie', namespace: 'default' },
      },
    ])
    expect(leftovers(world).timers).toBeUndefined()
  })

  test('is that of a built-in which is not started, and nobody else is meant', () => {
    const { world, owner } = createShop()
    owner.says(registerFunction('configuration::set'), registerTrigger('T1', 'tick', 'state::set'))
    owner.says(registerTrigger('T2', 'tick', 'publish'))
    aMomentLater(world)
    const add = (name: string) =>
      `is of the built-in ${name}, which this engine has not started; add \`- name: ${name}\` to \`workers:\` in config.yaml`
    expect(complaints(world)).toEqual([
      `nobody has registered the function of a trigger; state::set ${add('iii-state')}`,
      `nobody has registered the function of a trigger; publish ${add('iii-pubsub')}`,
    ])
    const gateway = world.builtIn()
    gateway.calls('state::set')
    expect(errorOf(gateway.hears()[0])).not.toHaveProperty('nearest')
    owner.says(registerFunction('state::set'))
    gateway.calls('state::sett')
    expect(errorOf(gateway.hears()[0])).toMatchObject({ nearest: 'state::set' })
  })

  test('is nothing to tell when the function comes later, before the moment is over', () => {
    const { world, owner } = createShop()
    owner.says(registerTrigger('T1', 'tick', 'shop::price'))
    world.clock.advance(limits.targetLookMs - 1)
    owner.says(registerFunction('shop::price'))
    aMomentLater(world)
    expect(complaints(world)).toEqual([])
  })

  test.each([
    [
      'it was removed',
      ({ owner }: ReturnType<typeof createShop>) => owner.says({ type: 'unregistertrigger', id: 'T1' }),
    ],
    ['its owner left', ({ owner }: ReturnType<typeof createShop>) => owner.leaves()],
    ['it is parked', ({ provider }: ReturnType<typeof createShop>) => provider.leaves()],
  ])('is nothing to tell when %s meanwhile', (_, change) => {
    const shop = createShop()
    shop.owner.says(registerTrigger('T1', 'tick', 'shop::prcie'))
    change(shop)
    aMomentLater(shop.world)
    expect(complaints(shop.world)).toEqual([])
  })

  test('costs few lines however many of them a worker has, and every one is counted', () => {
    const { world, owner } = createShop()
    for (let n = 0; n < 500; n++) owner.says(registerTrigger(`T${n}`, 'tick', `x::${n}`))
    aMomentLater(world)
    expect(complaints(world).length).toBeWithin(5, 15)
    const { warnings } = world.engine.state.directory.workers.get(owner.id)!
    expect(warnings.get('target missing')).toBe(500)
  })
})

test('a built-in is told the nearest id with function_not_found, for its log; nobody else is', () => {
  const { world, owner } = createShop()
  owner.says(registerFunction('shop::price'))
  const [gateway, stranger] = [world.builtIn(), world.join()]
  for (const caller of [gateway, stranger]) caller.calls('shop::prcie')
  expect(errorOf(gateway.hears()[0])).toMatchObject({ code: 'function_not_found', nearest: 'shop::price' })
  expect(errorOf(stranger.hears().at(-1))).not.toHaveProperty('nearest')
})
