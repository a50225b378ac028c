/** How a published client comes, is seen, shares names with others, and survives the engine's restart. */
import { expect } from 'bun:test'
import { connectRaw } from '../../support/rawClient.ts'
import { until } from '../../support/waiting.ts'
import { hasLeases } from '../clients.ts'
import { failure, listed, type Scenario, type Stage, untilBound, untilKnown } from './stage.ts'

export const life: readonly Scenario[] = [
  {
    name: 'it is listed as a connected worker',
    async run({ client, name, raw }) {
      const [row] = await until('the worker is listed', async () => {
        const rows = await listed(raw, 'workers', { search: name })
        return rows.length > 0 ? rows : undefined
      })
      expect(row).toMatchObject({ name, status: 'connected', version: client.version, namespace: 'default' })
      expect(row?.runtime).toBe({ typescript: 'node', python: 'python', rust: 'rust' }[client.language])
    },
  },
  {
    name: 'it finds its own functions, and not those of the engine',
    async run({ worker, name, id, known }) {
      await worker.offer(id('echo'), 'echo')
      await known(id('echo'))
      const { functions } = (await worker.call('engine::functions::list', {})) as {
        functions: Record<string, unknown>[]
      }
      expect(functions.find(row => row.function_id === id('echo'))).toMatchObject({
        worker_name: name,
        namespace: 'default',
      })
      expect(functions.filter(row => String(row.function_id).startsWith('engine::'))).toEqual([])
    },
  },
  {
    name: 'a function that it takes back is gone, and can come again',
    async run({ worker, raw, id, known }) {
      await worker.offer(id('echo'), 'echo')
      await known(id('echo'))
      await worker.unregisterFunction(id('echo'))
      await until('the function is gone', async () => (await raw.call(id('echo'))).error !== undefined)
      await worker.offer(id('echo'), 'echo')
      await known(id('echo'))
      expect(await raw.call(id('echo'), { n: 1 })).toEqual({ result: { n: 1 } })
    },
  },
  {
    name: 'its functions go with it',
    async run({ worker, raw, id, known }) {
      await worker.offer(id('echo'), 'echo')
      await known(id('echo'))
      await worker.shutdown()
      await until('the function is gone', async () => (await raw.call(id('echo'))).error !== undefined)
      expect((await raw.call(id('echo'))).error?.code).toBe('function_not_found')
    },
  },
  {
    name: 'two of them in one process that choose their names themselves live side by side',
    // From 0.23 the second one is refused, see below.
    only: client => !hasLeases(client),
    async run({ driver, engine, raw, id, known }) {
      const [first, second] = [await driver.connect(engine.url), await driver.connect(engine.url)]
      await first.offer(id('first'), 'echo')
      await second.offer(id('second'), 'echo')
      await known(id('first'))
      await known(id('second'))
      const before = await workersOf(raw, [id('first'), id('second')])
      expect(await raw.call(id('first'), { n: 1 })).toEqual({ result: { n: 1 } })
      expect(await raw.call(id('second'), { n: 2 })).toEqual({ result: { n: 2 } })
      // One that was refused would be back under another id by now.
      expect(await workersOf(raw, [id('first'), id('second')])).toEqual(before)
      await Promise.all([first.shutdown(), second.shutdown()])
    },
  },
  {
    name: 'a second worker of the same name is refused and stays away',
    only: hasLeases,
    async run({ worker, driver, engine, name, raw, id, known }) {
      await worker.offer(id('echo'), 'echo')
      await known(id('echo'))
      const before = await listed(raw, 'workers', { search: name })
      const refused = await driver.connect(engine.url, { name }).then(
        async second => {
          await until('the second worker has failed', async () => (await second.state()) === 'failed')
          return 'WORKER_NAMESPACE_CONFLICT'
        },
        (error: { code: string; message: string }) => `${error.code} ${error.message}`,
      )
      expect(refused).toContain('WORKER_NAMESPACE_CONFLICT')
      expect(await raw.call(id('echo'), { n: 1 })).toEqual({ result: { n: 1 } })
      expect((await listed(raw, 'workers', { search: name })).map(row => row.id)).toEqual(
        before.map(row => row.id),
      )
    },
  },
  {
    name: 'of two workers with one function, the last serves it before 0.23 and the first from then on',
    async run({ worker, client, driver, engine, name, raw, id, known }) {
      await worker.offer(id('which'), 'metadata')
      await known(id('which'))
      const second = await driver.connect(engine.url, { name: `${name}-second` })
      await second.offer(id('which'), 'echo')
      await second.offer(id('marker'), 'echo')
      // Registered after it, so it has been decided.
      await known(id('marker'))
      const { result } = await raw.call(id('which'), { n: 1 })
      expect(result).toEqual(hasLeases(client) ? 'none' : { n: 1 })
      await second.shutdown()
    },
  },
  {
    name: 'its namespace keeps its functions apart',
    only: hasLeases,
    async run({ driver, engine, name, raw, id }) {
      const apart = await driver.connect(engine.url, { name: `${name}-apart`, namespace: 'apart' })
      await apart.offer(id('echo'), 'echo')
      await until('the function is known there', async () => {
        const { result } = await raw.call(id('echo'), { n: 1 }, { namespace: 'apart' })
        return result !== undefined
      })
      expect((await raw.call(id('echo'))).error).toEqual({
        code: 'function_not_found',
        message: `Function ${id('echo')} not found in namespace default. It is registered in namespace(s): apart.`,
      })
      // Its own calls go to its namespace.
      expect(await apart.call(id('echo'), { n: 2 })).toEqual({ n: 2 })
      expect((await failure(apart.call(id('missing'), {}))).message).toBe(
        `Function ${id('missing')} not found in namespace apart.`,
      )
      await apart.shutdown()
    },
  },
  {
    name: 'it returns after an orderly restart of the engine, with everything it had',
    run: stage => surviveRestart(stage, 'SIGTERM'),
  },
  {
    name: 'it returns after the engine was killed, with everything it had',
    run: stage => surviveRestart(stage, 'SIGKILL'),
  },
]

/** Ids of the workers that own these functions. */
async function workersOf(raw: Stage['raw'], functionIds: string[]): Promise<unknown[]> {
  const functions = await listed(raw, 'functions')
  const names = functions
    .filter(row => functionIds.includes(String(row.function_id)))
    .map(row => row.worker_name)
  const workers = await listed(raw, 'workers')
  return workers.filter(row => names.includes(row.name)).map(row => row.id)
}

async function surviveRestart(
  { worker, client, engine, name, raw, id }: Stage,
  signal: 'SIGTERM' | 'SIGKILL',
) {
  const page = () => fetch(`${engine.http}/${name}/page`, { method: 'POST' })
  await worker.offer(id('echo'), 'echo')
  await untilKnown(raw, id('echo'))
  if (client.triggers) {
    await worker.offer(id('page'), 'page')
    await worker.bind('http', id('page'), { api_path: `${name}/page`, http_method: 'POST' })
    await worker.provide(id('own'))
    await worker.bind(id('foreign'), id('echo'), { n: 1 })
    await until('the route answers', async () => (await page()).status === 201)
  }

  await engine.restart(signal)

  await using after = await connectRaw(engine.url)
  await untilKnown(after, id('echo'))
  expect(await after.call(id('echo'), { n: 1 })).toEqual({ result: { n: 1 } })
  const rows = await listed(after, 'workers', { search: name })
  expect(rows.map(row => row.name)).toEqual([name])
  if (client.triggers) {
    await until('the route answers again', async () => (await page()).status === 201)
    after.send({ type: 'registertriggertype', id: id('foreign'), description: 'of a test' })
    await after.expect({ type: 'registertrigger', function_id: id('echo'), config: { n: 1 } })
    await untilBound(after, id('foreign'), id('echo'))
    const binding = { id: id('binding'), trigger_type: id('own'), function_id: id('echo'), config: {} }
    after.send({ type: 'registertrigger', ...binding })
    expect((await worker.bound(id('own'))).id).toBe(id('binding'))
  }
}
