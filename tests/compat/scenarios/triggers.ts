/** Triggers and trigger types: a published client on one side, a connection that shows every frame on the other. */
import { expect } from 'bun:test'
import { connectRaw, type RawClient, type WireFrame } from '../../support/rawClient.ts'
import { until } from '../../support/waiting.ts'
import type { ClientUnderTest } from '../clients.ts'
import { listed, type Scenario, type Stage } from './stage.ts'

const hasTriggers = ({ triggers }: ClientUnderTest): boolean => triggers

/** Asks for a binding of `config` to the function `<scenario>::target`, without an SDK. */
function bindRaw(raw: RawClient, { id }: Stage, triggerId: string, config: unknown = {}): void {
  raw.send({
    type: 'registertrigger',
    id: triggerId,
    trigger_type: id('type'),
    function_id: id('target'),
    config,
    metadata: { team: 'x' },
  })
}

/** Provides the trigger type `<scenario>::type` without an SDK. */
function provideRaw(raw: RawClient, { id }: Stage): void {
  raw.send({ type: 'registertriggertype', id: id('type'), description: 'of a test' })
}

const isBind = ({ id }: Stage) => ({ type: 'registertrigger', trigger_type: id('type') })
const isUnbind = ({ id }: Stage) => ({ type: 'unregistertrigger', trigger_type: id('type') })

function accept(raw: RawClient, bind: WireFrame): void {
  const { id, trigger_type, function_id } = bind
  raw.send({ type: 'triggerregistrationresult', id, trigger_type, function_id })
}

export const triggers: readonly Scenario[] = [
  {
    name: 'it provides a trigger type: bound, fired, unbound',
    only: hasTriggers,
    async run(stage) {
      const { worker, raw, id } = stage
      await worker.provide(id('type'))
      raw.serve(id('target'), ({ data }) => ({ result: { got: (data as { tick: number }).tick } }))
      bindRaw(raw, stage, id('binding'), { every: 5 })
      const binding = await worker.bound(id('type'))
      expect(binding).toMatchObject({ id: id('binding'), function_id: id('target'), config: { every: 5 } })
      expect(binding.metadata).toEqual({ team: 'x' })
      expect(await worker.call(binding.function_id, { tick: 1 })).toEqual({ got: 1 })
      raw.send({ type: 'unregistertrigger', id: id('binding') })
      expect((await worker.unbound(id('type'))).id).toBe(id('binding'))
    },
  },
  {
    name: 'it binds to the trigger type of another worker: bound, fired, unbound',
    only: hasTriggers,
    async run(stage) {
      const { worker, raw, id } = stage
      provideRaw(raw, stage)
      await worker.offer(id('target'), 'record')
      await worker.bind(id('type'), id('target'), { every: 5 }, { team: 'x' })
      const bind = await raw.expect(isBind(stage))
      expect(bind).toMatchObject({ function_id: id('target'), config: { every: 5 }, metadata: { team: 'x' } })
      accept(raw, bind)
      const fired = await raw.call(id('target'), { tick: 1 }, { metadata: bind.metadata })
      expect(fired).toEqual({ result: { ok: true } })
      const { data, metadata } = await worker.called(id('target'))
      expect({ data, metadata }).toEqual({ data: { tick: 1 }, metadata: { team: 'x' } })
      await worker.unbind(id('target'))
      expect((await raw.expect(isUnbind(stage))).id).toBe(bind.id)
    },
  },
  {
    name: 'a binding that is older than its trigger type is bound when the type comes',
    only: hasTriggers,
    async run(stage) {
      const { worker, raw, id } = stage
      bindRaw(raw, stage, id('binding'))
      await raw.settled()
      await worker.provide(id('type'))
      expect((await worker.bound(id('type'))).id).toBe(id('binding'))
    },
  },
  {
    name: 'it provides, leaves and returns: bindings of others are bound again',
    only: hasTriggers,
    async run(stage) {
      const { worker, driver, engine, name, raw, id } = stage
      await worker.provide(id('type'))
      bindRaw(raw, stage, id('binding'), { every: 5 })
      await worker.bound(id('type'))
      await worker.shutdown()
      await until('the trigger is parked', async () => (await bindings(stage)).length === 0)
      const again = await driver.connect(engine.url, { name })
      await again.provide(id('type'))
      const binding = await again.bound(id('type'))
      expect(binding).toMatchObject({ id: id('binding'), function_id: id('target'), config: { every: 5 } })
      await again.shutdown()
    },
  },
  {
    name: 'its provider leaves and returns: its binding is bound again without its doing',
    only: hasTriggers,
    async run(stage) {
      const { worker, engine, id } = stage
      const provider = await connectRaw(engine.url)
      provideRaw(provider, stage)
      await worker.offer(id('target'), 'echo')
      await worker.bind(id('type'), id('target'), { every: 5 })
      const first = await provider.expect(isBind(stage))
      accept(provider, first)
      await provider.close('cut')
      await using successor = await connectRaw(engine.url)
      provideRaw(successor, stage)
      const second = await successor.expect(isBind(stage))
      expect(second).toMatchObject({ id: first.id, function_id: id('target'), config: { every: 5 } })
    },
  },
  {
    name: 'it refuses a binding: the owner is told why',
    only: hasTriggers,
    async run(stage) {
      const { worker, raw, id } = stage
      await worker.provide(id('type'), { refuse: 'there is no such bucket' })
      bindRaw(raw, stage, id('binding'))
      const { error, ...refusal } = await raw.expect({ type: 'triggerregistrationresult' })
      expect(refusal).toMatchObject({
        id: id('binding'),
        trigger_type: id('type'),
        function_id: id('target'),
      })
      expect(error).toMatchObject({
        code: 'trigger_registration_failed',
        message: expect.stringContaining('there is no such bucket'),
      })
    },
  },
  {
    name: 'its binding is refused: it says so, and the binding waits for the next provider',
    only: hasTriggers,
    async run(stage) {
      const { worker, driver, raw, id } = stage
      provideRaw(raw, stage)
      await worker.offer(id('target'), 'echo')
      await worker.bind(id('type'), id('target'), {})
      const { id: bindingId } = await raw.expect(isBind(stage))
      raw.send({
        type: 'triggerregistrationresult',
        id: bindingId,
        trigger_type: id('type'),
        function_id: id('target'),
        error: { code: 'NO_BUCKET', message: `there is no bucket for ${id('type')}` },
      })
      await until('the trigger is parked', async () => (await bindings(stage)).length === 0)
      await until('the client says so', () => driver.log().includes(`there is no bucket for ${id('type')}`))
      provideRaw(raw, stage)
      expect((await raw.expect(isBind(stage))).id).toBe(bindingId)
    },
  },
  {
    name: 'an owner leaves: its provider is told',
    only: hasTriggers,
    async run(stage) {
      const { worker, engine, id } = stage
      await worker.provide(id('type'))
      const owner = await connectRaw(engine.url)
      bindRaw(owner, stage, id('binding'))
      await worker.bound(id('type'))
      await owner.close('cut')
      expect((await worker.unbound(id('type'))).id).toBe(id('binding'))
    },
  },
  {
    name: 'it leaves: the provider of its binding is told',
    only: hasTriggers,
    async run(stage) {
      const { worker, raw, id } = stage
      provideRaw(raw, stage)
      await worker.offer(id('target'), 'echo')
      await worker.bind(id('type'), id('target'), {})
      const bind = await raw.expect(isBind(stage))
      accept(raw, bind)
      await worker.shutdown()
      expect((await raw.expect(isUnbind(stage))).id).toBe(bind.id)
    },
  },
  {
    name: 'it takes its trigger type back: bindings wait for the next provider',
    only: hasTriggers,
    async run(stage) {
      const { worker, raw, id } = stage
      await worker.provide(id('type'))
      bindRaw(raw, stage, id('binding'))
      await worker.bound(id('type'))
      await worker.withdraw(id('type'))
      await until('the trigger is parked', async () => (await bindings(stage)).length === 0)
      provideRaw(raw, stage)
      expect((await raw.expect(isBind(stage))).id).toBe(id('binding'))
    },
  },
  {
    name: 'it answers HTTP requests as long as its trigger stands',
    only: hasTriggers,
    async run({ worker, engine, id, name }) {
      await worker.offer(id('page'), 'page')
      await worker.bind('http', id('page'), { api_path: `${name}/page`, http_method: 'POST' })
      const ask = () =>
        fetch(`${engine.http}/${name}/page`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"n":1}',
        })
      const answer = await until('the route answers', async () => {
        const answer = await ask()
        return answer.status === 404 ? undefined : answer
      })
      expect(answer.status).toBe(201)
      expect(answer.headers.get('content-type')).toContain('application/json')
      expect(await answer.json()).toEqual({ got: { n: 1 } })
      await worker.unbind(id('page'))
      await until('the route is gone', async () => (await ask()).status === 404)
    },
  },
  {
    name: 'it hears of functions that come and go',
    only: hasTriggers,
    async run({ worker, raw, id, bound }) {
      await worker.offer(id('heard'), 'record')
      await worker.bind('engine::functions-available', id('heard'), {})
      await bound('engine::functions-available', id('heard'))
      const hears = async (isThere: boolean): Promise<void> => {
        const { data } = await worker.called(id('heard'))
        const { event, functions } = data as { event: string; functions: { function_id: string }[] }
        expect(event).toBe('functions_changed')
        // Changes of others may be told before.
        if (functions.some(({ function_id }) => function_id === id('new')) !== isThere) await hears(isThere)
      }
      raw.send({ type: 'registerfunction', id: id('new') })
      await hears(true)
      raw.send({ type: 'unregisterfunction', id: id('new') })
      await hears(false)
    },
  },
]

/** Bindings of the scenario's trigger type that have a provider. */
function bindings({ raw, id }: Stage): Promise<Record<string, unknown>[]> {
  return listed(raw, 'registered-triggers', { trigger_type: id('type') })
}
