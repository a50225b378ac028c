/** A provider that keeps the first trigger of an id (`docs/protocol/json.md#the-answer-of-a-provider`). */
import { describe, expect, test } from 'bun:test'
import { boundAnswer, createWorld, registerTrigger, registerType, type World } from '../support/world.ts'
import { outline } from './support.ts'

function bindingOf(world: World, id: string) {
  return world.engine.state.directory.triggers.bindings.get(id)
}

describe('an id whose first trigger the provider keeps', () => {
  const KEPT = { code: 'trigger_registration_failed', message: 'it is already registered', kept: true }

  test('belongs to its first owner, whichever comes first: the answers or the second one', () => {
    for (const isSlow of [false, true]) {
      const world = createWorld()
      const [provider, first, second] = [world.join(), world.join(), world.join()]
      provider.says(registerType('tick'))
      first.says(registerTrigger('T1', 'tick', 'x::first'))
      if (!isSlow) provider.says(boundAnswer(provider.hears()[0]))
      second.says(registerTrigger('T1', 'tick', 'x::second'))
      const binds = provider.hears()
      if (isSlow) provider.says(boundAnswer(binds.shift()))
      provider.says(boundAnswer(binds[0], KEPT))
      const { kept: _, ...told } = KEPT
      expect(second.hears()).toEqual([
        {
          type: 'triggerregistrationresult',
          id: 'T1',
          trigger_type: 'tick',
          function_id: 'x::second',
          error: told,
        },
      ])
      expect(bindingOf(world, 'T1')).toMatchObject({ functionId: 'x::first', ownerId: first.id })
      second.leaves()
      expect(provider.hears()).toEqual([])
      first.leaves()
      expect(outline(provider.hears())).toEqual(['unregistertrigger T1'])
      expect(world.engine.state.directory.triggers.bindings.size).toBe(0)
    }
  })

  test('is free when the first owner has left before the answer', () => {
    const world = createWorld()
    const [provider, first, second] = [world.join(), world.join(), world.join()]
    provider.says(registerType('tick'))
    first.says(registerTrigger('T1', 'tick', 'x::first'))
    second.says(registerTrigger('T1', 'tick', 'x::second'))
    first.leaves()
    const [bindFirst, bindSecond] = provider.hears()
    provider.says(boundAnswer(bindFirst), boundAnswer(bindSecond, KEPT))
    const asked = provider.hears()
    expect(outline(asked)).toEqual(['unregistertrigger T1', 'registertrigger T1'])
    provider.says(boundAnswer(asked[1]))
    expect(second.hears()).toEqual([])
    expect(bindingOf(world, 'T1')).toMatchObject({ functionId: 'x::second', ownerId: second.id })
  })

  test('is nobody’s when the provider keeps what nobody knows of', () => {
    const world = createWorld()
    const [provider, owner] = [world.join(), world.join()]
    provider.says(registerType('tick'))
    owner.says(registerTrigger('T1', 'tick'))
    provider.says(boundAnswer(provider.hears()[0], KEPT))
    const asked = provider.hears()
    expect(outline(asked)).toEqual(['unregistertrigger T1', 'registertrigger T1'])
    provider.says(boundAnswer(asked[1], KEPT))
    expect(outline(provider.hears())).toEqual(['unregistertrigger T1'])
    expect(owner.hears()).toMatchObject([{ type: 'triggerregistrationresult', id: 'T1' }])
    expect(bindingOf(world, 'T1')).toBeUndefined()
  })
})
