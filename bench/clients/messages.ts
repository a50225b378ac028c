/**
 * What a message of a queue costs the store, without the worker and without fsync: µs of CPU for each that is published, read
 * (in windows) and finished, 64 in a transaction. Prints a row for each case; each is measured several times, the least counts.
 *
 *     bun bench/clients/messages.ts '{"messages":50000,"waiting":1000000,"rounds":3}'
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { openFolder } from '../../src/storage/folder/open.ts'
import { applyToQueue } from '../../src/storage/queue/apply.ts'
import type { QueueCommand } from '../../src/storage/queue/command.ts'
import type { Lane, Message } from '../../src/storage/queue/message.ts'

interface MessagesOptions {
  /** Published and finished in a round. */
  messages: number
  /** Of the case with many messages that are there before. */
  waiting: number
  rounds: number
}

interface Case {
  readonly name: string
  /** Messages that are there before, and stay. */
  readonly waiting?: number
  readonly groups?: number
  readonly receipts?: () => string
}

const BATCH = 64
const WINDOW = 256
const DATA = asJsonText(JSON.stringify({ order: 1, text: 'x'.repeat(178) }))
const LANE: Lane = { queue: 'orders', functionId: 'orders::create', namespace: undefined }
const OTHER = { queue: 'orders', functionId: 'orders::other' }

const { messages, waiting, rounds }: MessagesOptions = {
  messages: 50_000,
  waiting: 1_000_000,
  rounds: 3,
  ...(JSON.parse(process.argv[2] ?? '{}') as Partial<MessagesOptions>),
}

/** µs of CPU of this process. */
function cpu(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

function measure({ name, waiting: before = 0, groups, receipts }: Case): void {
  const folder = mkdtempSync(join(tmpdir(), 'iii-bench-messages-'))
  const store = openFolder(join(folder, 'data'), { sync() {} })
  const { queues } = store.tables
  const context = { nowMs: Date.now(), tables: queues, emit() {}, tell() {}, expires() {} }

  function transact(commands: readonly QueueCommand[]): void {
    store.begin(false)
    for (const command of commands) applyToQueue(command, context)
    store.commit(store.revision(), [])
  }

  function inBatches(count: number, commandOf: (place: number) => QueueCommand): void {
    for (let from = 0; from < count; from += BATCH) {
      transact(Array.from({ length: Math.min(BATCH, count - from) }, (_, at) => commandOf(from + at)))
    }
  }

  const enqueue = (place: number, lane: Omit<Lane, 'namespace'> = LANE): QueueCommand => ({
    command: 'enqueue',
    queue: lane.queue,
    functionId: lane.functionId,
    data: DATA,
    ...(groups === undefined ? {} : { group: `customer ${(place * 7919) % groups}` }),
    ...(receipts === undefined ? {} : { receipt: receipts() }),
  })

  /** Handed out as a worker would, a window at a time. */
  function read(): Message[] {
    const found: Message[] = []
    for (;;) {
      const page = queues.ready(LANE, found.at(-1), WINDOW)
      found.push(...page)
      if (page.length < WINDOW) return found
    }
  }

  inBatches(before, place => enqueue(place, OTHER))
  const least = {
    publish: Number.POSITIVE_INFINITY,
    read: Number.POSITIVE_INFINITY,
    finish: Number.POSITIVE_INFINITY,
  }
  for (let round = 0; round < rounds; round++) {
    const times = { publish: 0, read: 0, finish: 0 }
    let at = cpu()
    const lap = (what: keyof typeof times): void => {
      const now = cpu()
      times[what] += now - at
      at = now
    }
    inBatches(messages, place => enqueue(place))
    lap('publish')
    // Of groups the heads are there, then the next ones.
    for (let found = read(); found.length > 0; found = read()) {
      lap('read')
      inBatches(found.length, place => finishOf(found[place]!))
      lap('finish')
    }
    for (const what of ['publish', 'read', 'finish'] as const) {
      least[what] = Math.min(least[what], times[what] / messages)
    }
  }
  const [publish, reading, finish] = [least.publish, least.read, least.finish].map(us =>
    us.toFixed(1).padStart(6),
  )
  console.log(`${name.padEnd(34)} publish ${publish}   read ${reading}   finish ${finish}   µs`)
  void store.close().then(() => rmSync(folder, { recursive: true, force: true }))
}

const finishOf = (message: Message): QueueCommand => ({ command: 'finish', number: message.number, message })

measure({ name: 'plain' })
measure({ name: `plain, ${waiting} waiting before`, waiting })
measure({ name: '10 groups', groups: 10 })
measure({ name: '10,000 groups', groups: 10_000 })
measure({ name: 'receipts, version 4', receipts: () => crypto.randomUUID() })
measure({ name: 'receipts, version 7', receipts: () => Bun.randomUUIDv7() })
