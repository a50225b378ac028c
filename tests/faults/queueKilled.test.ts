/**
 * Queues across crashes: an engine is killed under load, over and over, and so are the processes that handle its messages, while
 * others throw, or take longer than they may. `III_FAULT_ROUNDS=1000` for more.
 */
import { expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectWorker } from '../../sdk/typescript/src/connect.ts'
import { InvocationError, type WorkerClient } from '../../sdk/typescript/src/mod.ts'
import { startEngine } from '../support/engineProcess.ts'
import { createRandom, type Random } from '../support/random.ts'
import { until } from '../support/waiting.ts'
import { check, type DeadRow, type Published } from './queueAccount.ts'
import {
  type Handler,
  handlers,
  type Job,
  LEASE_MS,
  type Line,
  MAX_ATTEMPTS,
  type Mood,
  TOPIC,
} from './queueJob.ts'

const ROUNDS = Math.ceil(Number(process.env.III_FAULT_ROUNDS ?? 200) / 20)
const PATIENT_MS = 120_000 + ROUNDS * 10_000
const DRAINED_MS = 90_000
const IN_FLIGHT = 24
const GROUPS = 12
const CONSUMERS = 3

const named = `max_retries: ${MAX_ATTEMPTS}, backoff_ms: 20, lease_ms: ${LEASE_MS}`
const QUEUES = `  - name: iii-queue
    config:
      queue_configs:
        plain: { ${named} }
        held: { ${named} }
        ordered: { ${named}, type: fifo, message_group_field: group }`

/** Processes that handle jobs; one that is killed is replaced. */
function createConsumers(url: string, journal: string) {
  const running: Bun.Subprocess[] = []
  let made = 0
  function start(): Bun.Subprocess {
    const program = join(import.meta.dir, 'queueConsumer.ts')
    return Bun.spawn([process.execPath, program, url, `consumer-${++made}`, journal], {
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'inherit',
    })
  }
  for (let count = 0; count < CONSUMERS; count++) running.push(start())
  return {
    async kill(which: number): Promise<void> {
      const process = running[which]!
      process.kill('SIGKILL')
      await process.exited
      running[which] = start()
    },
    made: () => made,
    async [Symbol.asyncDispose]() {
      for (const process of running) process.kill('SIGKILL')
      await Promise.all(running.map(({ exited }) => exited))
    },
  }
}

/** Publishes jobs made up by chance, and remembers what it was told of each. */
function createPublisher(random: Random) {
  const { between } = random
  const chance = (percent: number): boolean => between(0, 100) < percent
  const published = new Map<number, Published>()
  /** By their dedupe keys, which are their ids: the receipts that were told. */
  const receipts = new Map<number, string | undefined>()
  let answered = 0
  let repeated = 0

  function mood(): Mood {
    const dice = between(0, 1000)
    return dice < 700
      ? 'quick'
      : dice < 975
        ? 'slow'
        : dice < 985
          ? 'throws'
          : dice < 990
            ? 'hangs'
            : 'poison'
  }

  function jobFor(to: readonly Handler[], more: Partial<Job> = {}): Job {
    const job = { id: published.size, group: `g${between(0, GROUPS)}`, mood: mood(), ...more }
    published.set(job.id, { job, to, isAcknowledged: false })
    return job
  }

  async function push(
    client: WorkerClient,
    payload: object,
  ): Promise<{ messageReceiptId: string; duplicate?: true }> {
    return await client.trigger({ function_id: 'queue::push', payload })
  }

  async function pushOnce(client: WorkerClient, job: Job): Promise<void> {
    const known = receipts.get(job.id)
    const payload = { queue: 'plain', function_id: handlers.plain, data: job, dedupe_key: `job ${job.id}` }
    receipts.set(job.id, known)
    const { messageReceiptId, duplicate } = await push(client, payload)
    const about = `the key of job ${job.id}`
    if (known !== undefined) {
      repeated++
      expect([about, messageReceiptId, duplicate]).toEqual([about, known, true])
    }
    receipts.set(job.id, messageReceiptId)
  }

  /** Returns the job that is published, once it is acknowledged. */
  async function publish(client: WorkerClient): Promise<Job> {
    const dice = between(0, 100)
    if (dice < 40) {
      const job = jobFor(['mail', 'ledger'])
      await client.trigger({ function_id: 'iii::durable::publish', payload: { topic: TOPIC, data: job } })
      return job
    }
    if (dice < 75) {
      const to = dice < 60 ? 'ordered' : 'plain'
      const job = jobFor([to])
      const action = { type: 'enqueue', queue: to } as const
      await client.trigger({ function_id: handlers[to], payload: job, action })
      return job
    }
    if (dice < 85) {
      const again = [...receipts.keys()][between(0, Math.max(1, receipts.size))]
      const job = again !== undefined && chance(50) ? published.get(again)!.job : jobFor(['plain'])
      await pushOnce(client, job)
      return job
    }
    if (dice < 95) {
      const notBefore = Date.now() + between(1, 3000)
      const job = jobFor(['plain'], { notBefore })
      await push(client, { queue: 'plain', function_id: handlers.plain, data: job, run_at: notBefore })
      return job
    }
    const job = jobFor(['held'], { mood: 'quick' })
    await push(client, { queue: 'held', function_id: handlers.held, data: job })
    return job
  }

  return {
    published,
    answered: () => answered,
    repeated: () => repeated,
    /** One after the other, until the connection is lost or it is over. */
    async lane(client: WorkerClient, isOver: () => boolean): Promise<void> {
      try {
        while (!isOver()) {
          const { id } = await publish(client)
          published.get(id)!.isAcknowledged = true
          answered++
        }
      } catch (error) {
        if (!(error instanceof InvocationError && error.code === 'CONNECTION_LOST')) throw error
      }
    },
    /** Whoever has not heard whether a job with a key was taken asks again. */
    async askAgain(client: WorkerClient): Promise<void> {
      for (const id of receipts.keys()) {
        const of = published.get(id)!
        if (of.isAcknowledged) continue
        await pushOnce(client, of.job)
        of.isAcknowledged = true
      }
    },
  }
}

async function connect(url: string): Promise<WorkerClient & AsyncDisposable> {
  const client = connectWorker(url, { workerName: `publisher ${crypto.randomUUID()}`, reconnect: false })
  await client.ready()
  return { ...client, [Symbol.asyncDispose]: () => client.shutdown() }
}

const statsOf = (client: WorkerClient, queue: string): Promise<{ depth: number; paused: boolean }> =>
  client.trigger({ function_id: 'queue::stats', payload: { queue } })

async function deadOf(client: WorkerClient, queue: string): Promise<DeadRow[]> {
  const rows: DeadRow[] = []
  for (let cursor: string | undefined; ; ) {
    const page: { messages: DeadRow[]; cursor?: string } = await client.trigger({
      function_id: 'queue::messages',
      payload: { queue, state: 'dead', with_data: true, cursor },
    })
    rows.push(...page.messages)
    cursor = page.cursor
    if (cursor === undefined) return rows
  }
}

test(
  'every acknowledged message is handled by everybody whom it is for, in the order of its group, or is among the dead',
  async () => {
    const random = createRandom()
    const { between } = random
    const folder = mkdtempSync(join(tmpdir(), 'iii-journal-'))
    const journal = join(folder, 'journal')
    writeFileSync(journal, '')
    const linesSoFar = (): Line[] =>
      readFileSync(journal, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map(line => JSON.parse(line))
    const began = performance.now()
    try {
      await using engine = await startEngine({ workers: QUEUES })
      await using consumers = createConsumers(engine.url, journal)
      const publisher = createPublisher(random)
      await using first = await connect(engine.url)
      await first.trigger({ function_id: 'queue::pause', payload: { queue: 'held' } })
      await until('all have subscribed', async () => {
        const topics: { name: string; subscriber_count: number }[] = await first.trigger({
          function_id: 'engine::queue::list_topics',
        })
        return topics.some(row => row.name === TOPIC && row.subscriber_count === 2 * CONSUMERS)
      })

      for (let round = 0; round < ROUNDS; round++) {
        await using client = await connect(engine.url)
        expect(await statsOf(client, 'held')).toMatchObject({ paused: true })
        await publisher.askAgain(client)
        let isOver = false
        const lanes = Promise.all(
          Array.from({ length: IN_FLIGHT }, () => publisher.lane(client, () => isOver)),
        )
        // Told of at once, if a lane ends with an error.
        const enough = async (count: number): Promise<void> => {
          const least = publisher.answered() + count
          await Promise.race([until('enough is answered', () => publisher.answered() >= least), lanes])
        }
        await enough(between(1, 500))
        for (let kills = between(0, 3); kills > 0; kills--) {
          await consumers.kill(between(0, CONSUMERS))
          await enough(between(1, 200))
        }
        await engine.restart('SIGKILL')
        isOver = true
        await lanes
      }

      await using client = await connect(engine.url)
      await publisher.askAgain(client)
      expect(await statsOf(client, 'held')).toMatchObject({ paused: true })
      expect(linesSoFar().filter(({ handler }) => handler === 'held')).toEqual([])
      await client.trigger({ function_id: 'queue::resume', payload: { queue: 'held' } })
      const queues = [TOPIC, 'plain', 'ordered', 'held']
      const drained = async (): Promise<boolean> => {
        for (const queue of queues) if ((await statsOf(client, queue)).depth > 0) return false
        return true
      }
      await until('nothing waits', drained, DRAINED_MS)
      const dead = (await Promise.all(queues.map(queue => deadOf(client, queue)))).flat()
      const tally = check({ published: publisher.published, lines: linesSoFar(), dead })
      const ms = Math.round((performance.now() - began) / ROUNDS)
      console.log(
        `queues: seed ${random.seed}, ${ROUNDS} kills of the engine, ${consumers.made() - CONSUMERS} of consumers, ` +
          `${publisher.answered()} acknowledged, ${publisher.repeated()} asked again, ${JSON.stringify(tally)}, ${ms} ms a round`,
      )
      expect(publisher.answered()).toBeGreaterThan(ROUNDS)
    } catch (error) {
      throw new Error(`seed ${random.seed}: ${(error as Error).message}`, { cause: error })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
  PATIENT_MS,
)
