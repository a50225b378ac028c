/**
 * The same with graphile-worker on PostgreSQL: `addJob` in a closed loop over a pool of connections, and a worker with
 * the settings its documentation gives for many jobs: batches that are fetched ahead, and completed together.
 *
 *     bun graphile.ts '{"url":"postgres://…","pids":[123],"groups":0,"waiting":0,"plan":{…}}'
 */
import { peer } from './peer.ts'
import { type QueueLoad, runQueueLoad } from './queueLoad.ts'
import { REQUEST } from './wire.ts'

interface Graphile {
  Logger: new (factory: () => () => void) => unknown
  run(options: object): Promise<{
    addJob(name: string, payload: unknown): Promise<unknown>
    events: { on(event: string, listener: () => void): void }
  }>
}

const CONCURRENCY = 64
const { url, pids, plan } = JSON.parse(process.argv[2]!) as QueueLoad
const { run, Logger } = await peer<Graphile>('graphile-worker')
const order = JSON.parse(REQUEST)

const result = await runQueueLoad({ pids, plan, groups: 0, small: 0 }, async ({ begins, ended }) => {
  const task = `bench_${process.pid}`
  const runner = await run({
    connectionString: url,
    maxPoolSize: 20,
    noHandleSignals: true,
    logger: new Logger(() => () => {}),
    taskList: { [task]: (payload: { m: number }) => begins(payload.m) },
    preset: {
      worker: {
        concurrentJobs: CONCURRENCY,
        localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
    },
  })
  runner.events.on('job:complete', ended)
  return { publish: number => runner.addJob(task, { m: number, ...order }).then(() => {}) }
})

console.log(JSON.stringify(result))
process.exit(0)
