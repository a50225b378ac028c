/** A world with the cron worker in it, on a wall that a test may set; who is called is a puppet. */
import type { Clock } from '../../../src/clock/clock.ts'
import { createMemoryPartition } from '../../../src/storage/mod.ts'
import { createPartitionStore } from '../../../workers/cron/adapters/partition.ts'
import { cronConfigSchema } from '../../../workers/cron/config.ts'
import type { CronStore, ScheduleRecord } from '../../../workers/cron/store.ts'
import { createCronWorker } from '../../../workers/cron/worker.ts'
import { connectBuiltIn, createAsker, type Outcome } from '../../support/builtIn.ts'
import {
  answerTo,
  createWorld,
  type Message,
  type Puppet,
  registerFunction,
  registerTrigger,
  unregisterTrigger,
} from '../../support/world.ts'

/** Keeps what is saved as a disk would, for the engine after a crash. */
export function keepingStore() {
  const records = new Map<string, ScheduleRecord>()
  const told = { failing: false, saves: 0 }
  const store: CronStore = {
    load: async () => [...records.values()].map(record => structuredClone(record)),
    async save(given) {
      if (told.failing) throw new Error('the disk is full')
      told.saves++
      for (const record of given) records.set(record.name, structuredClone(record))
    },
  }
  return { store, told, records }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await new Promise(resolve => setImmediate(resolve))
}

interface CronGiven {
  /** That of a world before, which has ended or was killed. */
  readonly store?: CronStore
  readonly start?: string
  readonly config?: unknown
  /** What is to be done at once is done in the next turn, not while the clock is set forward. */
  readonly isPatient?: boolean
}

function patient(clock: Clock): Clock {
  function after(ms: number, task: () => void): () => void {
    if (ms > 0) return clock.after(ms, task)
    const immediate = setImmediate(task)
    return () => clearImmediate(immediate)
  }
  return { ...clock, after }
}

export async function createCron(given: CronGiven = {}) {
  const world = createWorld()
  const { clock, log } = world
  let wallAhead = (given.start === undefined ? Date.UTC(2026, 4, 1) : Date.parse(given.start)) - clock.now()
  const wallClock = () => Math.floor(clock.now() + wallAhead)
  const client = connectBuiltIn(world, 'iii-cron', 81)
  const partition = createMemoryPartition({ clock, log, wallClock }, 0)
  const store = given.store ?? createPartitionStore(partition, wallClock)
  const cron = await createCronWorker(cronConfigSchema.parse(given.config ?? {}), {
    store,
    clock: given.isPatient === true ? patient(clock) : clock,
    wallClock,
    log,
  }).start(client)
  await settled()
  const caller = world.join({ name: 'caller' })
  const worker: Puppet = world.join()
  worker.says(registerFunction('target::run'))
  worker.hears()
  let calls: Message[] = []

  function hear(): void {
    calls.push(...worker.hears().filter(({ type }) => type === 'invokefunction'))
  }

  const asker = createAsker(caller, settled)

  return {
    ...world,
    cron,
    store,
    wallClock,
    caller,
    worker,
    settled,
    ask: (name: string, input: unknown) => asker.ask(`cron::${name}`, input),
    done: <Result>(name: string, input: unknown) => asker.done<Result>(`cron::${name}`, input),
    /** Resolves with why it was refused, if it was. */
    async bind(id: string, config: unknown, more: object = {}): Promise<Outcome['error']> {
      worker.says(registerTrigger(id, 'cron', 'target::run', { config, ...more }))
      await settled()
      const heard = worker.hears()
      calls.push(...heard.filter(({ type }) => type === 'invokefunction'))
      return heard.find(({ type }) => type === 'triggerregistrationresult')?.error as Outcome['error']
    },
    async unbind(id: string): Promise<void> {
      worker.says(unregisterTrigger(id))
      await settled()
    },
    /** Lets time pass, a second at a time, so that what is written meanwhile is written. */
    async pass(seconds: number): Promise<void> {
      for (let step = 0; step < seconds; step++) {
        clock.advance(1000)
        await settled()
      }
    },
    /** Somebody sets the clock on the wall. */
    setWall(time: string): void {
      wallAhead = Date.parse(time) - clock.now()
    },
    /** Calls since the last look that were not taken. */
    take(): Message[] {
      hear()
      const taken = calls
      calls = []
      return taken
    },
    async answer(call: Message | undefined, outcome: object = { result: null }): Promise<void> {
      worker.says(answerTo(call, outcome))
      await settled()
    },
  }
}

export type CronWorld = Awaited<ReturnType<typeof createCron>>

/** Local part of the instants that were meant. */
export const instantsOf = (calls: readonly Message[]): string[] =>
  calls.map(({ data }) => (data as { scheduled_time: string }).scheduled_time.slice(11, 19))

/** Runs of `cron::history`, oldest first: outcome or reason, and the number of ticks. */
export async function historyOf(world: CronWorld, id = 't'): Promise<string[]> {
  const { runs } = await world.done<{ runs: Record<string, unknown>[] }>('history', { id })
  return runs
    .reverse()
    .map(
      ({ scheduled_time, outcome, reason, count, attempt }) =>
        `${String(scheduled_time).slice(11, 19)} ${reason ?? outcome}` +
        `${count === undefined ? '' : ` ${count}`}${attempt === undefined || attempt === 1 ? '' : ` attempt ${attempt}`}`,
    )
}
