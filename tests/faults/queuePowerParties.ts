/** Who publishes, handles, takes and redrives in the power loss loop for queues; each tells the account what it hears. */
import { expect } from 'bun:test'
import { connectWorker } from '../../sdk/typescript/src/connect.ts'
import { type CallContext, InvocationError, type WorkerClient } from '../../sdk/typescript/src/mod.ts'
import type { Random } from '../support/random.ts'
import { until } from '../support/waiting.ts'
import { type Lane, MAX_ATTEMPTS, type PowerAccount, type PowerJob, type Row } from './queuePowerAccount.ts'

export const TOPIC = 'power'
const QUEUES = ['plain', 'ordered', 'taken', 'once', TOPIC]
const HANDLED: readonly Lane[] = ['plain', 'ordered', 'mail', 'ledger']
const GROUPS = 8
const MOST_PAD = 4000
/** Of each power loss. */
const ASKED_AGAIN = 20
const DEDUPE_MS = 3_600_000

const named = `max_retries: ${MAX_ATTEMPTS}, backoff_ms: 5`
export const queueConfigs = `
        plain: { ${named} }
        taken: { ${named} }
        once: { ${named} }
        ordered: { ${named}, type: fifo, message_group_field: group }`

export type Client = WorkerClient & AsyncDisposable

export async function connect(url: string): Promise<Client> {
  const client = connectWorker(url, {
    workerName: `party ${crypto.randomUUID()}`,
    reconnect: false,
    onWarning() {},
  })
  await client.ready()
  return { ...client, [Symbol.asyncDispose]: () => client.shutdown() }
}

const ask = <Answer>(client: WorkerClient, function_id: string, payload: object): Promise<Answer> =>
  client.trigger<Answer>({ function_id, payload })

/** One after the other, until the power is gone. */
async function over(work: () => Promise<void>): Promise<void> {
  try {
    for (;;) await work()
  } catch (error) {
    if (!(error instanceof InvocationError && error.code === 'CONNECTION_LOST')) throw error
  }
}

/** Has messages handed to it, until its connection ends. `noticed`: what must not be, which to the engine is one more failure. */
export async function consume(
  client: Client,
  account: PowerAccount,
  noticed: (fault: unknown) => void,
): Promise<void> {
  async function handle(lane: Lane, job: PowerJob, { metadata }: CallContext): Promise<unknown> {
    const { attempt } = metadata as { attempt: number }
    try {
      account.begin(lane, job, attempt)
    } catch (fault) {
      noticed(fault)
    }
    if (fails(job, attempt)) throw new Error(`job ${job.id} is bad`)
    account.end(lane, job.id)
    return { done: job.id }
  }
  for (const lane of HANDLED)
    client.registerFunction<PowerJob>(`power::${lane}`, (job, context) => handle(lane, job, context))
  const tuning = { maxRetries: MAX_ATTEMPTS - 1, backoffDelayMs: 5 }
  const subscribe = (lane: Lane, queue_config: object): void =>
    void client.registerTrigger({
      type: 'durable:subscriber',
      function_id: `power::${lane}`,
      config: { topic: TOPIC, queue_config },
    })
  subscribe('mail', tuning)
  subscribe('ledger', { ...tuning, type: 'fifo', messageGroupField: 'group' })
  await until('both have subscribed', async () => {
    const topics = await ask<{ name: string; subscriber_count: number }[]>(
      client,
      'engine::queue::list_topics',
      {},
    )
    return topics.some(row => row.name === TOPIC && row.subscriber_count === 2)
  })
}

const fails = ({ mood }: PowerJob, attempt: number): boolean =>
  mood === 'poison' || (mood === 'throws' && attempt < MAX_ATTEMPTS)

interface Popped {
  readonly id: string
  readonly lease_id: string
  readonly attempt: number
  readonly data: PowerJob
}

/** Takes messages; some it lets be. */
export function take(client: Client, account: PowerAccount, { between }: Random): Promise<void> {
  return over(async () => {
    const queue = between(0, 4) === 0 ? 'once' : 'taken'
    const input = { queue, max: between(1, 6), wait_ms: 20, auto_ack: queue === 'once' }
    const { messages } = await ask<{ messages: Popped[] }>(client, 'queue::pop', input)
    for (const { id, lease_id, attempt, data } of messages) {
      account.begin(queue, data, attempt)
      const lease = { id, lease_id }
      if (queue === 'once') account.over(queue, data.id)
      else if (fails(data, attempt)) {
        const error = `job ${data.id} is bad`
        const { dead } = await ask<{ dead: boolean }>(client, 'queue::nack', { ...lease, error })
        expect([data.id, dead]).toEqual([data.id, attempt === MAX_ATTEMPTS])
        account.failed(queue, data.id, attempt, dead)
      } else if (between(0, 20) === 0) await ask(client, 'queue::release', lease)
      else {
        account.end(queue, data.id)
        await ask(client, 'queue::ack', lease)
        account.over(queue, data.id)
      }
    }
  })
}

export interface Publisher {
  answered(): number
  /** Until the power is gone. */
  publish(client: Client): Promise<void>
  /** Keys and results of before are what they were. */
  check(client: Client): Promise<number>
}

export function createPublisher(account: PowerAccount, random: Random): Publisher {
  const { between } = random
  /** By their keys. */
  const receipts = new Map<string, string>()
  const keyed: { readonly job: PowerJob; readonly key: string }[] = []
  const results = new Map<string, number>()
  let made = 0
  let answered = 0

  function jobFor(to: readonly Lane[], more: Partial<PowerJob> = {}, isAskedAgain = false): PowerJob {
    const dice = between(0, 100)
    const mood = dice < 88 ? 'quick' : dice < 95 ? 'throws' : 'poison'
    const job: PowerJob = {
      id: made++,
      group: `g${between(0, GROUPS)}`,
      mood,
      pad: 'x'.repeat(between(0, between(0, 4) === 0 ? MOST_PAD : 40)),
      ...more,
    }
    account.publish(job, to, isAskedAgain)
    return job
  }

  interface Receipt {
    readonly messageReceiptId: string
    readonly duplicate?: true
  }

  async function push(client: Client, to: Lane, data: PowerJob, more: object = {}): Promise<Receipt> {
    const function_id = HANDLED.includes(to) ? `power::${to}` : undefined
    const receipt = await ask<Receipt>(client, 'queue::push', { queue: to, function_id, data, ...more })
    if (receipt.duplicate === undefined) account.acknowledged(data)
    return receipt
  }

  async function pushOnce(client: Client, { job, key }: { job: PowerJob; key: string }): Promise<void> {
    const known = receipts.get(key)
    const keys = { dedupe_key: key, dedupe_window_ms: DEDUPE_MS }
    const { messageReceiptId, duplicate } = await push(client, 'plain', job, keys)
    if (known !== undefined) expect([key, messageReceiptId, duplicate]).toEqual([key, known, true])
    else if (duplicate) account.acknowledged(job)
    receipts.set(key, messageReceiptId)
  }

  async function redrive(client: Client): Promise<void> {
    const one = between(0, 2) === 0 ? account.someDead(count => between(0, count)) : undefined
    if (one === undefined) {
      const [queue, of] = [
        ['plain', ['plain']],
        [TOPIC, ['mail', 'ledger']],
        ['taken', ['taken']],
        ['ordered', ['ordered']],
      ][between(0, 4)] as [string, Lane[]]
      account.redrive(of)
      await ask(client, 'iii::queue::redrive', { queue })
      return
    }
    const queue = one.lane === 'mail' || one.lane === 'ledger' ? TOPIC : one.lane
    account.redrive([one.lane])
    const input = { queue, message_id: one.receipt }
    const { redriven } = await ask<{ redriven: number }>(client, 'iii::queue::redrive_message', input)
    if (redriven === 1) account.redriven(one.lane, one.id)
  }

  async function publishOne(client: Client): Promise<void> {
    const dice = between(0, 100)
    if (dice < 25) {
      const job = jobFor(['mail', 'ledger'])
      await ask(client, 'iii::durable::publish', { topic: TOPIC, data: job })
      account.acknowledged(job)
    } else if (dice < 45) await push(client, 'ordered', jobFor(['ordered']))
    else if (dice < 60) await push(client, 'plain', jobFor(['plain']))
    else if (dice < 70) await push(client, 'taken', jobFor(['taken']))
    else if (dice < 75) await push(client, 'once', jobFor(['once'], { mood: 'quick' }))
    else if (dice < 82) {
      const notBefore = Date.now() + between(1, 300)
      await push(client, 'plain', jobFor(['plain'], { notBefore }), { run_at: notBefore })
    } else if (dice < 90) {
      const again = between(0, 2) === 0 ? keyed[between(0, Math.max(1, keyed.length))] : undefined
      if (again === undefined) {
        const job = jobFor(['plain'], {}, true)
        keyed.push({ job, key: `job ${job.id}` })
      }
      await pushOnce(client, again ?? keyed.at(-1)!)
    } else if (dice < 96) {
      const job = jobFor(['plain'], { mood: 'quick' })
      const { messageReceiptId } = await push(client, 'plain', job, { result: true })
      await hearResult(client, job.id, messageReceiptId)
    } else await redrive(client)
    answered++
  }

  async function hearResult(client: Client, id: number, message_id: string): Promise<void> {
    const input = { message_id, wait_ms: 10_000 }
    const { state, result } = await ask<{ state: string; result?: unknown }>(client, 'queue::result', input)
    expect([id, state, result]).toEqual([id, 'done', { done: id }])
    account.over('plain', id)
    results.set(message_id, id)
  }

  return {
    answered: () => answered,
    publish: client => over(() => publishOne(client)),
    async check(client) {
      const known = [...receipts.keys()]
      // Whoever has not heard whether it was taken asks again.
      const unheard = keyed.filter(({ key }) => !receipts.has(key))
      const some = Array.from({ length: Math.min(ASKED_AGAIN, known.length) }, () => {
        const key = known[between(0, known.length)]!
        return keyed.find(each => each.key === key)!
      })
      for (const each of [...unheard, ...some]) await pushOnce(client, each)
      const kept = [...results].slice(-ASKED_AGAIN)
      for (const [receipt, id] of kept) await hearResult(client, id, receipt)
      return unheard.length + some.length + kept.length
    },
  }
}

async function rowsOf(client: Client, queue: string, state?: string): Promise<Row[]> {
  const rows: Row[] = []
  for (let cursor: string | undefined; ; ) {
    const input = { queue, state, with_data: true, limit: 1000, cursor }
    const page = await ask<{ messages: Row[]; cursor?: string }>(client, 'queue::messages', input)
    rows.push(...page.messages)
    cursor = page.cursor
    if (cursor === undefined) return rows
  }
}

export interface Stats {
  readonly depth: number
  readonly dlq_depth: number
  readonly ready: number
  readonly delayed: number
  readonly behind: number
  readonly bytes: number
  readonly leased: number
}

export const statsOf = (client: Client, queue: string): Promise<Stats> =>
  ask(client, 'queue::stats', { queue })

/** Everything that is there. The counts of each queue are those of the list. */
export async function listAll(client: Client): Promise<Row[]> {
  const all: Row[] = []
  for (const queue of QUEUES) {
    const [waiting, dead] = [await rowsOf(client, queue), await rowsOf(client, queue, 'dead')]
    const behind = waiting.filter(({ reason }) => reason === 'predecessor')
    const timed = waiting.filter(({ reason, due_at }) => reason !== 'predecessor' && due_at !== undefined)
    const bytes = waiting.reduce((sum, { data }) => sum + Buffer.byteLength(JSON.stringify(data)), 0)
    expect({ queue, ...(await statsOf(client, queue)) }).toMatchObject({
      queue,
      depth: waiting.length,
      dlq_depth: dead.length,
      ready: waiting.length - behind.length - timed.length,
      delayed: timed.length,
      behind: behind.length,
      bytes,
      leased: 0,
    })
    const letters = await ask<{ id: string }[]>(client, 'engine::queue::dlq_messages', { queue, limit: 1000 })
    const ids = (rows: readonly { id: string }[]): string[] => rows.map(({ id }) => id).sort()
    if (dead.length <= 1000) expect(ids(letters)).toEqual(ids(dead))
    all.push(...waiting, ...dead)
  }
  return all
}

export const isEmpty = async (client: Client): Promise<boolean> => {
  for (const queue of QUEUES) if ((await statsOf(client, queue)).depth > 0) return false
  return true
}
