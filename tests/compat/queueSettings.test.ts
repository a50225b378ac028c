/** Settings of queues and schedules change while a published client is at work, and nothing is lost by it. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EngineProcess, startEngine } from '../support/engineProcess.ts'
import { connectRaw, type RawClient } from '../support/rawClient.ts'
import { until } from '../support/waiting.ts'
import { npmOnNode, prepare } from './clients.ts'
import { type DrivenWorker, type Driver, startDriver } from './driver.ts'
import { PREPARE_MS, skipReason, untilBound, untilKnown } from './scenarios/stage.ts'

const reason = skipReason(npmOnNode)

describe.skipIf(reason !== undefined)('settings that change at run time', () => {
  const folder = mkdtempSync(join(tmpdir(), 'iii-settings-'))
  const stored = join(folder, 'iii-queue.yaml')
  setDefaultTimeout(60_000)
  let engine: EngineProcess
  let driver: Driver
  let worker: DrivenWorker
  let raw: RawClient

  beforeAll(async () => {
    const command = await prepare(npmOnNode)
    engine = await startEngine({
      workers: `  - name: configuration
    config: { adapter: { name: fs, config: { directory: ${JSON.stringify(folder)} } } }
  - name: iii-cron
  - name: iii-queue
    config:
      queue_configs:
        steady: { backoff_ms: 60000, max_retries: 2 }
        leaving: { max_retries: 2 }`,
    })
    driver = startDriver(command)
    worker = await driver.connect(engine.url, { name: 'jobs' })
    raw = await connectRaw(engine.url)
  }, PREPARE_MS)

  afterAll(async () => {
    await raw?.close()
    await driver?.[Symbol.asyncDispose]()
    await engine?.stop()
    rmSync(folder, { recursive: true })
  })

  const patch = (queue_configs: object) =>
    worker.call('configuration::patch', { id: 'iii-queue', patch: { queue_configs } })

  async function statsOf(queue: string): Promise<Record<string, unknown>> {
    return (await raw.call('queue::stats', { queue })).result as Record<string, unknown>
  }

  const untilConfig = (queue: string, config: object | null) =>
    until(`the settings of ${queue} are in force`, async () => {
      const found = (await statsOf(queue)).config
      expect(found === null ? null : { ...(found as object) }).toEqual(
        config === null ? null : expect.objectContaining(config),
      )
      return true
    })

  const messagesOf = async (queue: string) =>
    ((await raw.call('queue::messages', { queue, with_data: true })).result as { messages: object[] })
      .messages

  test('those of the file are an entry, and nothing is written', async () => {
    const { value } = (await worker.call('configuration::get', { id: 'iii-queue' })) as { value: object }
    expect(value).toMatchObject({ queue_configs: { steady: { backoff_ms: 60000, concurrency: 10 } } })
    expect(JSON.stringify(value)).not.toContain('store_method')
    expect(existsSync(stored)).toBe(false)
  })

  test('a queue appears, and what waited in the topic of its name is in it', async () => {
    await worker.offer('jobs::new', 'record')
    await untilKnown(raw, 'jobs::new')
    await worker.call('iii::durable::publish', { topic: 'fresh', data: { n: 1 } })
    await expect(worker.enqueue('fresh', 'jobs::new', {})).rejects.toThrow("Queue 'fresh' not found")
    await patch({ fresh: { concurrency: 3 } })
    await untilConfig('fresh', { concurrency: 3 })
    await worker.enqueue('fresh', 'jobs::new', { n: 2 })
    expect(await worker.called('jobs::new')).toMatchObject({ data: { n: 2 }, metadata: { queue: 'fresh' } })
    const popped = await until('the message has moved', async () => {
      const { messages } = (await worker.call('queue::pop', { queue: 'fresh' })) as { messages: object[] }
      return messages[0]
    })
    expect(popped).toMatchObject({ data: { n: 1 }, queue: 'fresh' })
    expect(readFileSync(stored, 'utf8')).toContain('fresh:')
  })

  test('back-off, attempts and rate of the next attempt are those that are set meanwhile', async () => {
    await worker.offer('jobs::fails', 'throw')
    await untilKnown(raw, 'jobs::fails')
    await patch({ steady: { backoff_ms: 1, max_retries: 3 } })
    await untilConfig('steady', { max_retries: 3 })
    await worker.enqueue('steady', 'jobs::fails', { n: 1 })
    await until('it is dead', async () => (await statsOf('steady')).dlq_depth === 1)
    const dead = await raw.call('engine::queue::dlq_messages', { queue: 'steady' })
    expect(dead.result).toMatchObject([{ retries: 3 }])
  })

  test('a higher concurrency lets messages begin that wait, at triggers that stay attached', async () => {
    await patch({ narrow: { concurrency: 1 } })
    await untilConfig('narrow', { concurrency: 1 })
    await worker.offer('jobs::slow', 'hang')
    await worker.bind('queue', 'jobs::slow', { queue: 'narrow' })
    await untilBound(raw, 'queue', 'jobs::slow')
    for (const n of [1, 2, 3]) await worker.call('queue::push', { queue: 'narrow', data: { n } })
    expect(await worker.called('jobs::slow')).toMatchObject({ data: { n: 1 } })
    expect(await statsOf('narrow')).toMatchObject({ leased: 1, depth: 3 })
    await patch({ narrow: { concurrency: 3 } })
    expect(await worker.called('jobs::slow')).toMatchObject({ data: { n: 2 } })
    expect(await worker.called('jobs::slow')).toMatchObject({ data: { n: 3 } })
  })

  test('a queue that goes keeps its messages, says why they wait, and hands them out when it is back', async () => {
    await worker.offer('jobs::late', 'record')
    await untilKnown(raw, 'jobs::late')
    await worker.call('queue::pause', { queue: 'leaving' })
    const receipt = await worker.enqueue('leaving', 'jobs::late', { n: 1 })
    const { messageReceiptId: message_id } = receipt as { messageReceiptId: string }
    await patch({ leaving: null })
    await untilConfig('leaving', null)
    await expect(worker.enqueue('leaving', 'jobs::late', {})).rejects.toThrow("Queue 'leaving' not found")
    await worker.call('queue::resume', { queue: 'leaving' })
    expect(await messagesOf('leaving')).toMatchObject([
      { id: message_id, reason: 'not_configured', state: 'parked', data: { n: 1 } },
    ])
    const { result } = await raw.call('queue::list')
    expect((result as { queues: object[] }).queues).toContainEqual(
      expect.objectContaining({ queue: 'leaving', depth: 1, config: null }),
    )

    // Also when the engine starts anew without the setting.
    await engine.restart('SIGKILL')
    await raw.close()
    raw = await connectRaw(engine.url)
    expect(await messagesOf('leaving')).toMatchObject([{ id: message_id, reason: 'not_configured' }])
    await untilKnown(raw, 'jobs::late')
    await patch({ leaving: { max_retries: 2 } })
    expect(await worker.called('jobs::late')).toMatchObject({ data: { n: 1 }, metadata: { message_id } })
    await until('it is done', async () => (await statsOf('leaving')).depth === 0)
  })

  test('a trigger of type queue goes to the named queue of its name and back, with what waits for it', async () => {
    await worker.offer('jobs::both', 'record')
    await worker.bind('queue', 'jobs::both', { queue: 'turning' })
    await untilBound(raw, 'queue', 'jobs::both')
    await worker.call('queue::push', { queue: 'turning', data: 'topic' })
    expect(await worker.called('jobs::both')).toMatchObject({ data: 'topic', metadata: { queue: 'turning' } })
    await worker.call('queue::pause', { queue: 'turning' })
    await worker.call('queue::push', { queue: 'turning', data: 'left' })
    await patch({ turning: { concurrency: 2 } })
    expect(await worker.called('jobs::both')).toMatchObject({ data: 'left' })
    await untilConfig('turning', { concurrency: 2 })
    await worker.call('queue::push', { queue: 'turning', data: 'named' })
    expect(await worker.called('jobs::both')).toMatchObject({ data: 'named' })
    await patch({ turning: null })
    await untilConfig('turning', null)
    // The topic was paused, and still is.
    await worker.call('queue::resume', { queue: 'turning' })
    await worker.call('queue::push', { queue: 'turning', data: 'topic again' })
    expect(await worker.called('jobs::both')).toMatchObject({ data: 'topic again' })
  })

  test('what is wrong is refused with a reason, and what was in force stays', async () => {
    const wrong: [value: object, why: string][] = [
      [{ queue_configs: { a: { type: 'fifo' } } }, 'queue_configs.a: a fifo queue needs message_group_field'],
      [{ queue_configs: { a: { concurency: 1 } } }, "unknown key. Did you mean 'concurrency'?"],
      [{ queue_configs: { a: { concurrency: 0 } } }, 'queue_configs.a.concurrency: '],
      [{ adapter: { name: 'memory' } }, 'adapter.name: it is read at the start of the engine only'],
      [{ adapter: { config: { store_method: 'in_memory' } } }, 'and start the engine again'],
    ]
    for (const [patch, why] of wrong) {
      const set = worker.call('configuration::patch', { id: 'iii-queue', patch })
      expect(await set.catch(error => error)).toMatchObject({
        code: 'SCHEMA_INVALID',
        message: expect.stringContaining(why),
      })
    }
    expect(await statsOf('steady')).toMatchObject({ config: { backoff_ms: 1 } })
    const same = { adapter: { name: 'builtin', config: { store_method: 'file_based' } } }
    await worker.call('configuration::patch', { id: 'iii-queue', patch: same })
  })

  test('an edit of the stored file counts, and its deletion brings those of the configuration file back', async () => {
    const text = readFileSync(stored, 'utf8')
    writeFileSync(stored, text.replace('backoff_ms: 1\n', 'backoff_ms: 77\n'))
    await untilConfig('steady', { backoff_ms: 77 })
    await worker.call('configuration::delete', { id: 'iii-queue' })
    await untilConfig('steady', { backoff_ms: 60000, max_retries: 2 })
    expect(existsSync(stored)).toBe(false)
    expect(await worker.call('configuration::get', { id: 'iii-queue' })).toMatchObject({
      value: { queue_configs: { steady: { backoff_ms: 60000 } } },
    })
  })

  test('the time-out of schedules holds for triggers that are there', async () => {
    await worker.offer('jobs::hangs', 'hang')
    await worker.bind('cron', 'jobs::hangs', { name: 'hangs', expression: '0 0 1 1 *' })
    await untilBound(raw, 'cron', 'jobs::hangs')
    await worker.call('configuration::set', { id: 'iii-cron', value: { timeout_ms: 20 } })
    const failed = await until('the time-out is in force', async () => {
      const { error } = await raw.call('cron::run', { id: 'hangs' }, { withinMs: 200 })
      return error
    })
    expect(failed.message).toMatch(/No answer within \d\d ms/)
    const refused = await raw.call('configuration::set', { id: 'iii-cron', value: { timeout_ms: 0 } })
    expect(refused.error).toMatchObject({ code: 'SCHEMA_INVALID' })
  })
})
