/** Bindings that survive their caller (`docs/discovery.md#triggers-without-an-owner`). */
import { describe, expect, test } from 'bun:test'
import { limits } from '../../../src/protocol/limits.ts'
import {
  boundAnswer,
  type Puppet,
  registerTrigger,
  registerType,
  unregisterTrigger,
  unregisterType,
} from '../../support/world.ts'
import { createDiscovery, type Discovery } from './support.ts'

const REGISTER = 'engine::register_trigger'
const UNREGISTER = 'engine::unregister_trigger'
const REFUSAL = { code: 'bad_config', message: 'no such bucket' }

async function withProvider(): Promise<{ world: Discovery; provider: Puppet }> {
  const world = await createDiscovery()
  const provider = world.join({ name: 'provider' })
  provider.says(registerType('tick'))
  return { world, provider }
}

/** Asks for a binding and leaves the answer open; `answer` gives it as soon as it is there. */
async function requested(world: Discovery, input: object = {}) {
  const { asker } = await world.asks(REGISTER, { trigger_type: 'tick', function_id: 'x::f', ...input })
  return {
    asker,
    answer: async () => {
      await world.settled()
      return asker.hears()[0]
    },
  }
}

const bindingsOf = (world: Discovery) => world.engine.state.directory.triggers.bindings

describe('registering an ownerless trigger', () => {
  test('binds it, waits for the provider, and answers with its id', async () => {
    const { world, provider } = await withProvider()
    const { answer } = await requested(world, { config: { every: 5 }, metadata: { a: 1 } })
    expect(await answer()).toBeUndefined()
    const [bind] = provider.hears()
    expect(bind).toMatchObject({
      type: 'registertrigger',
      trigger_type: 'tick',
      function_id: 'x::f',
      config: { every: 5 },
      metadata: { a: 1 },
    })
    provider.says(boundAnswer(bind))
    expect(await answer()).toMatchObject({ result: { id: bind?.id } })
    expect(world.engine.state.ownerless.size).toBe(0)
  })

  test('survives its caller, and its provider', async () => {
    const { world, provider } = await withProvider()
    const { asker, answer } = await requested(world)
    provider.says(boundAnswer(provider.hears()[0]))
    await answer()
    asker.leaves()
    expect(bindingsOf(world).size).toBe(1)
    provider.leaves()
    const next = world.join()
    next.says(registerType('tick'))
    expect(next.hears()).toMatchObject([{ type: 'registertrigger', function_id: 'x::f' }])
  })

  test('that its provider refuses fails and leaves nothing behind', async () => {
    const { world, provider } = await withProvider()
    const { answer } = await requested(world)
    provider.says(boundAnswer(provider.hears()[0], REFUSAL))
    expect((await answer())?.error).toMatchObject({
      code: 'trigger_registration_failed',
      message: 'bad_config: no such bucket',
    })
    expect(bindingsOf(world).size).toBe(0)
    expect(provider.hears()).toEqual([])
    provider.says(registerType('tick'))
    expect(provider.hears()).toEqual([])
  })

  test('that a built-in refuses fails and leaves nothing behind', async () => {
    const world = await createDiscovery()
    const cron = world.builtIn()
    cron.says(registerType('cron'))
    const { answer } = await requested(world, { trigger_type: 'cron' })
    cron.says(boundAnswer(cron.hears()[0], REFUSAL))
    expect((await answer())?.error).toMatchObject({ code: 'trigger_registration_failed' })
    expect(bindingsOf(world).size).toBe(0)
  })

  test('whose provider does not answer counts as accepted after ten seconds', async () => {
    const { world } = await withProvider()
    const { answer } = await requested(world)
    world.clock.advance(limits.providerAnswerMs - 1)
    expect(await answer()).toBeUndefined()
    world.clock.advance(1)
    expect(await answer()).toMatchObject({ result: { id: expect.any(String) } })
    expect(bindingsOf(world).size).toBe(1)
  })

  test('that is refused after it was accepted is parked, like any other', async () => {
    const { world, provider } = await withProvider()
    const { answer } = await requested(world)
    world.clock.advance(limits.providerAnswerMs)
    await answer()
    const [bind] = provider.hears()
    provider.says(boundAnswer(bind, REFUSAL))
    expect(bindingsOf(world).get(bind?.id as string)?.parkedReason).toContain('bad_config')
  })

  test.each<[string, (provider: Puppet) => void]>([
    ['leaves', provider => provider.leaves()],
    ['unregisters the type', provider => provider.says(unregisterType('tick'))],
  ])('whose provider %s before it answers counts as accepted, and is parked', async (_, goes) => {
    const { world, provider } = await withProvider()
    const { answer } = await requested(world)
    goes(provider)
    expect(await answer()).toMatchObject({ result: { id: expect.any(String) } })
    expect([...bindingsOf(world).values()]).toMatchObject([{ providerId: undefined }])
    expect(world.engine.state.ownerless.size).toBe(0)
  })

  test('of a type nobody provides is parked and answered at once', async () => {
    const world = await createDiscovery()
    const { result } = await world.ask<{ id: string }>(REGISTER, {
      trigger_type: 'tick',
      function_id: 'x::f',
    })
    expect(bindingsOf(world).get(result.id)?.parkedReason).toBeDefined()
    expect(bindingsOf(world).get(result.id)?.config as string).toBe('{}')
  })

  test('that someone removes while it waits is answered', async () => {
    const { world } = await withProvider()
    const { answer } = await requested(world, { id: 'mine' })
    world.join().says(unregisterTrigger('mine'))
    expect(await answer()).toMatchObject({ result: { id: 'mine' } })
    expect(world.engine.state.ownerless.size).toBe(0)
  })

  test('that a worker takes over while it waits is answered', async () => {
    const { world } = await withProvider()
    const { answer } = await requested(world, { id: 'mine' })
    world.join().says(registerTrigger('mine', 'tick'))
    expect(await answer()).toMatchObject({ result: { id: 'mine' } })
  })

  test('may name its id, and doing it again replaces it', async () => {
    const { world, provider } = await withProvider()
    const first = await requested(world, { id: 'mine', config: 1 })
    const second = await requested(world, { id: 'mine', config: 2 })
    expect(await first.answer()).toMatchObject({ result: { id: 'mine' } })
    expect(await second.answer()).toBeUndefined()
    const binds = provider.hears()
    expect(binds).toMatchObject([{ config: 1 }, { config: 2 }])
    provider.says(boundAnswer(binds[1]))
    expect(await second.answer()).toMatchObject({ result: { id: 'mine' } })
    expect(bindingsOf(world).size).toBe(1)
  })

  test('goes to the namespaces that are named, and else to default', async () => {
    const world = await createDiscovery()
    const provider = world.join({ namespace: 'team' })
    provider.says(registerType('tick'))
    await requested(world)
    expect(provider.hears()).toEqual([])
    await requested(world, { trigger_namespace: 'team', namespace: 'other' })
    expect(provider.hears()).toMatchObject([{ namespace: 'other', trigger_namespace: 'team' }])
  })

  test.each([
    ['namespace', { namespace: ' ' }],
    ['trigger_namespace', { trigger_namespace: '' }],
  ])('with a blank %s is refused', async (field, input) => {
    const world = await createDiscovery()
    const { error } = await world.ask(REGISTER, { trigger_type: 'tick', function_id: 'x::f', ...input })
    expect(error).toEqual({
      code: 'INVALID_NAMESPACE',
      message: `\`${field}\` is empty: it was named and left blank. Give it a name, or omit it to use \`default\`.`,
    })
  })

  test.each([
    [{ function_id: 'x::f' }, 'field `trigger_type`'],
    [{ trigger_type: 'tick' }, 'field `function_id`'],
    [null, 'field `trigger_type`'],
  ])('with input %j is refused by name of the field', async (input, text) => {
    const world = await createDiscovery()
    const { error } = await world.ask(REGISTER, input)
    expect(error?.code).toBe('deserialization_error')
    expect(error?.message).toContain(text)
  })

  test('with a name that is too long is refused, and what has its id stays', async () => {
    const world = await createDiscovery({ limits: { nameLength: 40 } })
    await world.ask(REGISTER, { id: 'mine', trigger_type: 'tick', function_id: 'x::f' })
    const { error } = await world.ask(REGISTER, {
      id: 'mine',
      trigger_type: 't'.repeat(41),
      function_id: 'x::f',
    })
    expect(error).toEqual({
      code: 'trigger_registration_failed',
      message: 'trigger_registration_failed: Trigger refused: its trigger type is longer than 40 characters.',
    })
    expect(bindingsOf(world).get('mine')?.triggerType).toBe('tick')
  })

  test('is bounded: all of them together may be as many as one connection may have', async () => {
    const world = await createDiscovery({ limits: { registrationsPerConnection: 2 } })
    const ask = (id: string) => world.ask(REGISTER, { id, trigger_type: 'tick', function_id: 'x::f' })
    expect((await ask('one')).error).toBeUndefined()
    expect((await ask('two')).error).toBeUndefined()
    expect((await ask('three')).error?.message).toContain('there are 2 ownerless triggers already')
    expect((await ask('two')).error).toBeUndefined()
    expect((await world.ask(UNREGISTER, { id: 'one' })).result).toEqual({ removed: true })
    expect((await ask('three')).error).toBeUndefined()
  })
})

describe('unregistering a trigger by its id', () => {
  test('takes it from its provider and says whether there was one', async () => {
    const { world, provider } = await withProvider()
    const { answer } = await requested(world, { id: 'mine' })
    provider.says(boundAnswer(provider.hears()[0]))
    await answer()
    expect((await world.ask(UNREGISTER, { id: 'mine', trigger_type: 'ignored' })).result).toEqual({
      removed: true,
    })
    expect(provider.hears()).toEqual([{ type: 'unregistertrigger', id: 'mine', trigger_type: 'tick' }])
    expect((await world.ask(UNREGISTER, { id: 'mine' })).result).toEqual({ removed: false })
  })

  test('works for triggers of workers, too', async () => {
    const { world, provider } = await withProvider()
    world.join().says(registerTrigger('theirs', 'tick'))
    provider.hears()
    expect((await world.ask(UNREGISTER, { id: 'theirs' })).result).toEqual({ removed: true })
    expect(provider.hears()).toMatchObject([{ type: 'unregistertrigger', id: 'theirs' }])
  })

  test('needs an id', async () => {
    const world = await createDiscovery()
    expect((await world.ask(UNREGISTER, {})).error?.code).toBe('INVALID_ARGUMENTS')
  })
})
