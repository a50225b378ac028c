/**
 * A worker that handles the jobs of the kill loop for queues, and is made to be killed: `queueConsumer.ts <url> <name> <journal>`.
 * Before it answers it writes down what it did.
 */
import { openSync, writeSync } from 'node:fs'
import { connectWorker } from '../../sdk/typescript/src/connect.ts'
import type { CallContext } from '../../sdk/typescript/src/worker.ts'
import { type Handler, handlers, type Job, LEASE_MS, type Line, MAX_ATTEMPTS, TOPIC } from './queueJob.ts'

interface Metadata {
  readonly message_id: string
  readonly attempt: number
  readonly lease_id: string
}

const [, , url, workerName = '', path = ''] = process.argv
const journal = openSync(path, 'a')
const worker = connectWorker(url, {
  workerName,
  reconnectionConfig: { initialDelayMs: 20, maxDelayMs: 50 },
  // The second one to register a function waits for the first to go.
  onWarning() {},
})

async function handle(handler: Handler, job: Job, { metadata }: CallContext): Promise<null> {
  const { id, group, mood } = job
  const { attempt, message_id, lease_id } = metadata as Metadata
  const write = (did: Line['did']): void => {
    const line: Line = {
      did,
      handler,
      id,
      group,
      attempt,
      message: message_id,
      lease: lease_id,
      at: Date.now(),
    }
    writeSync(journal, `${JSON.stringify(line)}\n`)
  }
  write('begin')
  if (mood === 'poison' || (mood === 'throws' && attempt < 3)) {
    write('throw')
    throw new Error(`job ${id} is bad today`)
  }
  if (mood === 'hangs' && attempt === 1) return await new Promise(() => {})
  if (mood === 'slow') await Bun.sleep(5)
  write('end')
  return null
}

const tuning = { maxRetries: MAX_ATTEMPTS - 1, backoffDelayMs: 20, leaseMs: LEASE_MS, concurrency: 16 }
for (const handler of Object.keys(handlers) as Handler[])
  worker.registerFunction<Job>(handlers[handler], (job, context) => handle(handler, job, context))
worker.registerTrigger({
  type: 'durable:subscriber',
  function_id: handlers.mail,
  config: { topic: TOPIC, queue_config: tuning },
})
worker.registerTrigger({
  type: 'durable:subscriber',
  function_id: handlers.ledger,
  config: { topic: TOPIC, queue_config: { ...tuning, type: 'fifo', messageGroupField: 'group' } },
})
