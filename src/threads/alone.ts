/**
 * A built-in worker as a process of its own: the same parts as in the engine, each on a WebSocket instead of a local link, with
 * a partition of this process.
 */
import type { BuiltInClient, Handler } from '../../sdk/typescript/src/worker.ts'
import type { BuiltInWorker, RunningWorker } from '../../workers/worker.ts'
import { systemClock } from '../clock/clock.ts'
import type { Settings } from '../config/settings.ts'
import type { Log } from '../log/log.ts'
import { createMemoryPartition, openPartition } from '../storage/mod.ts'
import { createPartitions, type Partitions } from './partitions.ts'
import { partsOn } from './parts.ts'

export interface AloneParts {
  readonly log: Log
  /** Connects to the engine under this name, in the background. */
  readonly connect: (name: string, description: string) => BuiltInClient
}

export interface AloneWorker {
  /** Resolves when everything it has registered is in effect. Rejects when the engine refuses it for good. */
  serves(): Promise<void>
  /** What listens where. */
  readonly addresses: Readonly<Record<string, string>>
  /** Offers nothing any more; resolves when what runs has ended, at the latest after `ms`. */
  drain(ms: number): Promise<void>
  /** Ends at once, and commits what is open. */
  stop(): Promise<void>
}

/** A part that runs, and the way to the engine that it has for itself. */
interface RunningPart {
  readonly running: RunningWorker
  readonly client: BuiltInClient
  /** Takes its functions back; resolves when the calls of them that run have ended. */
  retire(): Promise<void>
}

/** A client that knows which functions are offered over it, and how many calls of them run. */
function watched(client: BuiltInClient): { client: BuiltInClient; retire(): Promise<void> } {
  const offered = new Set<{ unregister(): void }>()
  const idle: (() => void)[] = []
  let runs = 0

  function ended(): void {
    runs--
    if (runs === 0) for (const resolve of idle.splice(0)) resolve()
  }

  function counted<Input>(handler: Handler<Input>): Handler<Input> {
    return (input, context) => {
      runs++
      let answer: unknown
      try {
        answer = handler(input, context)
      } catch (error) {
        ended()
        throw error
      }
      if (answer instanceof Promise) return answer.finally(ended)
      ended()
      return answer
    }
  }

  return {
    client: {
      ...client,
      registerFunction(id, handler, options) {
        const registration = client.registerFunction(id, counted(handler), options)
        offered.add(registration)
        return {
          unregister() {
            offered.delete(registration)
            registration.unregister()
          },
        }
      },
    },
    retire() {
      for (const registration of offered) registration.unregister()
      offered.clear()
      return runs === 0 ? Promise.resolve() : new Promise(resolve => void idle.push(resolve))
    },
  }
}

async function makeParts(
  settings: Settings,
  log: Log,
  partitions: Partitions,
): Promise<{ worker: BuiltInWorker; instance: string }[]> {
  const common = { clock: systemClock, log, process: crypto.randomUUID() }
  const made: { worker: BuiltInWorker; instance: string }[] = []
  for (const { part, instance, config } of partsOn('durable', settings)) {
    const partition = await partitions.open(part.keeps(config))
    made.push({ worker: await part.create(config, { ...common, partition }), instance })
  }
  for (const { part, instance, config } of partsOn('main', settings)) {
    made.push({ worker: await part.create(config, common), instance })
  }
  for (const { part, instance, config } of partsOn('shards', settings)) {
    made.push({
      worker: await part.create(config, { ...common, reusePort: false, insecure: settings.insecure }),
      instance,
    })
  }
  return made
}

/** Runs all workers of the settings. When one part cannot start, the others are stopped and the error is thrown. */
export async function startAlone(settings: Settings, { log, connect }: AloneParts): Promise<AloneWorker> {
  const common = { clock: systemClock, log }
  const partitions = createPartitions({
    dataFolder: settings.data.folder,
    base: settings.data.base,
    onDisk: folder => openPartition(folder, common),
    inMemory: () => createMemoryPartition(common),
  })
  const parts: RunningPart[] = []

  async function stop(): Promise<void> {
    await Promise.all(parts.map(({ running }) => running.stop()))
    await partitions.close()
    await Promise.all(parts.map(({ client }) => client.shutdown()))
  }

  try {
    for (const { worker, instance } of await makeParts(settings, log, partitions)) {
      const { client, retire } = watched(connect(instance, worker.description))
      parts.push({ running: await worker.start(client), client, retire })
    }
  } catch (error) {
    await stop()
    throw error
  }

  return {
    async serves() {
      await Promise.all(
        parts.map(async ({ client }) => {
          await client.ready()
          // A call waits for the registrations before it, whatever its answer.
          const payload = { function_id: 'engine::functions::info' }
          await client.trigger({ function_id: payload.function_id, payload }).catch(() => {})
        }),
      )
    },
    addresses: Object.assign({}, ...parts.map(({ running }) => running.addresses)),
    async drain(ms) {
      const timeOver = new Promise<void>(resolve => systemClock.after(ms, resolve))
      const ended = parts.map(async ({ running, retire }) => {
        // What it drains may be calls of its own functions.
        await Promise.all([retire(), running.drain()])
      })
      await Promise.race([Promise.all(ended), timeOver])
    },
    stop,
  }
}
