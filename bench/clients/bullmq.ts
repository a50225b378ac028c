/**
 * The same with BullMQ on Redis: `add` in a closed loop, and a worker.
 *
 *     bun bullmq.ts '{"url":"redis://127.0.0.1:6379","pids":[123],"groups":0,"waiting":0,"plan":{…}}'
 */
import { peer } from './peer.ts'
import { type QueueLoad, runQueueLoad } from './queueLoad.ts'
import { REQUEST } from './wire.ts'

interface Bull {
  Queue: new (
    name: string,
    options: object,
  ) => { add(name: string, data: unknown, options: object): Promise<unknown> }
  Worker: new (
    name: string,
    handle: (job: { data: { m: number } }) => Promise<void>,
    options: object,
  ) => { on(event: string, listener: () => void): void; waitUntilReady(): Promise<unknown> }
}

const { url, pids, plan } = JSON.parse(process.argv[2]!) as QueueLoad
const { Queue, Worker } = await peer<Bull>('bullmq')
const { port } = new URL(url)
const connection = { host: '127.0.0.1', port: Number(port), maxRetriesPerRequest: null }
const order = JSON.parse(REQUEST)
const name = `bench-${process.pid}`

const result = await runQueueLoad({ pids, plan, groups: 0, small: 0 }, async ({ begins, ended }) => {
  const queue = new Queue(name, { connection })
  const worker = new Worker(name, async ({ data }) => begins(data.m), {
    connection,
    concurrency: 256,
    removeOnComplete: { count: 0 },
  })
  worker.on('completed', ended)
  await worker.waitUntilReady()
  return {
    publish: number => queue.add('order', { m: number, ...order }, { removeOnComplete: true }).then(() => {}),
  }
})

console.log(JSON.stringify(result))
process.exit(0)
