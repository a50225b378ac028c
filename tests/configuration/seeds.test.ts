/** Settings of built-in workers as entries: the configuration file is their seed. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders are the subject
import { describe, expect, test } from 'bun:test'
import { createSeeds } from '../../src/threads/seeds.ts'
import { cronConfigSchema } from '../../workers/cron/config.ts'
import { queueConfigSchema } from '../../workers/queue/config.ts'
import { DIRECTORY, fileOf } from './memoryFiles.ts'
import { refusal, startWorker } from './support.ts'

const ID = 'iii-queue'
const IN_FORCE = { queue_configs: { mails: { concurrency: 2 } } }

/** What a configuration file says to the queue worker, as entries. */
function seedsOf(config: object = IN_FORCE) {
  return createSeeds([
    { name: ID, instance: ID, config: queueConfigSchema.parse(config) },
    { name: 'iii-http', instance: 'iii-http', config: {} },
    { name: 'iii-cron', instance: 'iii-cron', config: cronConfigSchema.parse({}) },
  ])
}

const start = (options: Parameters<typeof startWorker>[0] = {}) =>
  startWorker({ seeds: seedsOf(), ...options })

type Started = Awaited<ReturnType<typeof start>>

const inForce = ({ call }: Started) =>
  call<{ config: { queue_configs: Record<string, object> } }>('settings', { id: ID }, null)

describe('settings of a built-in worker', () => {
  test('are an entry that stands nowhere but in the configuration file', async () => {
    const worker = await start()
    const { configurations } = await worker.call<{ configurations: { id: string }[] }>('list', {})
    expect(configurations.map(({ id }) => id)).toEqual(['iii-cron', ID])
    const { value } = await worker.call('get', { id: ID })
    expect(value).toMatchObject({ queue_configs: { mails: { concurrency: 2, max_retries: 3 } } })
    expect(worker.files.names(DIRECTORY)).toEqual([])
  })

  test('have nothing of where things are kept, which is read at the start', async () => {
    const kept = { name: 'builtin', config: { file_path: '/secret/place', store_method: 'file_based' } }
    const worker = await start({ seeds: seedsOf({ adapter: kept }) })
    const { value } = await worker.call('get', { id: ID })
    expect(JSON.stringify(value)).not.toMatch(/builtin|secret|file_based/)
    expect(await inForce(worker)).toMatchObject({ config: { adapter: kept } })
    expect((await worker.call('get', { id: 'iii-cron' })).value).toEqual({ timeout_ms: 3_600_000 })
  })

  test('are complete when their worker asks for them, whatever was set', async () => {
    const worker = await start({ env: { MOST: '7' } })
    await worker.call('set', { id: ID, value: { queue_configs: { mails: { concurrency: '${MOST}' } } } })
    expect((await inForce(worker)).config.queue_configs).toMatchObject({
      mails: { concurrency: 7, max_retries: 3 },
      default: { concurrency: 10 },
    })
  })

  test('are told in full to workers of the engine only', async () => {
    const worker = await start()
    expect(await refusal(worker.call('settings', { id: ID }))).toStartWith('NOT_FOUND')
    expect(await refusal(worker.call('settings', { id: 'iii-http' }, null))).toStartWith('NOT_FOUND')
  })

  test('that were set go before the file at the next start, and the log says so', async () => {
    const first = await start()
    await first.call('set', { id: ID, value: { queue_configs: { mails: { concurrency: 5 } } } })
    const second = await start({ files: first.files, seeds: seedsOf({ queue_configs: { other: {} } }) })
    const { queue_configs } = (await inForce(second)).config
    expect(queue_configs).toMatchObject({ mails: { concurrency: 5 } })
    expect(queue_configs).not.toHaveProperty('other')
    expect(second.log.lines).toMatchObject([
      { level: 'info', fields: { worker: ID, file: fileOf(ID), fix: expect.stringContaining('delete') } },
    ])
  })

  test('that nobody has set are those of the file at each start', async () => {
    const first = await start()
    const second = await start({ files: first.files, seeds: seedsOf({ queue_configs: { other: {} } }) })
    expect((await inForce(second)).config.queue_configs).toHaveProperty('other')
    expect(second.log.lines).toEqual([])
  })

  test.each(['deleted', 'removed by hand'])(
    'that were set and are %s are those of the file again',
    async how => {
      const worker = await start()
      await worker.call('set', { id: ID, value: {} })
      worker.bind({ configuration_id: ID, event_types: ['configuration:deleted'] })
      if (how === 'deleted') await worker.call('delete', { id: ID })
      else {
        worker.files.edit(fileOf(ID), undefined)
        worker.clock.advance(1000)
        await worker.running.drain()
      }
      expect(worker.told()).toHaveLength(1)
      expect((await inForce(worker)).config.queue_configs).toMatchObject({ mails: { concurrency: 2 } })
      const { revision } = await worker.call<{ revision: number }>('get', { id: ID })
      expect(revision).toBe(4)
    },
  )

  test.each([
    [{ queue_configs: { a: { type: 'fifo' } } }, 'queue_configs.a: a fifo queue needs message_group_field'],
    [
      { queue_configs: { a: { max_retry: 1 } } },
      "queue_configs.a.max_retry: unknown key. Did you mean 'max_retries'?",
    ],
    [{ adapter: { name: 'memory' } }, 'adapter.name: it is read at the start of the engine only'],
    [{ adapter: { name: 'redis' } }, 'adapter.name: it is read at the start of the engine only'],
    [{ adapter: { config: { file_path: '/x' } } }, 'in the configuration file and start the engine again'],
    ['text', 'expected object'],
  ])('that are wrong are refused: %j', async (value, why) => {
    const worker = await start()
    const answer = await refusal(worker.call('set', { id: ID, value }))
    expect(answer).toStartWith('SCHEMA_INVALID: ')
    expect(answer).toContain(why)
    expect((await inForce(worker)).config.queue_configs).toMatchObject({ mails: { concurrency: 2 } })
    expect(worker.files.names(DIRECTORY)).toEqual([])
  })

  test('that are wrong in a file are not used, and the log says why', async () => {
    const { files } = await start()
    files.edit(fileOf(ID), 'id: iii-queue\nvalue:\n  queue_configs: { a: { type: fifo } }\n')
    const worker = await start({ files })
    expect((await inForce(worker)).config.queue_configs).toMatchObject({ mails: { concurrency: 2 } })
    expect(worker.log.lines).toMatchObject([
      { level: 'warn', fields: { id: ID, reason: expect.stringContaining('message_group_field') } },
    ])
  })

  test('that somebody has stored for another place are not in force, and their worker is told why', async () => {
    const first = await start()
    await first.call('set', { id: ID, value: { adapter: { name: 'builtin' } } })
    const { files } = first
    const second = await start({ files, seeds: seedsOf({ adapter: { name: 'memory' } }) })
    expect(await refusal(second.call('settings', { id: ID }, null))).toContain('adapter.name: it is read')
  })

  test('do not expire', async () => {
    const worker = await start({ config: { ttl_seconds: 1 } })
    for (let second = 0; second < 5; second++) worker.clock.advance(1000)
    await worker.running.drain()
    expect((await inForce(worker)).config.queue_configs).toHaveProperty('mails')
  })
})
