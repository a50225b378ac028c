/** A whole engine is killed under load, or told to stop, and started again. */
import { describe, expect, test } from 'bun:test'
import { connectWorker } from '../../sdk/typescript/src/connect.ts'
import type { Level } from '../../src/storage/partition.ts'
import { type EngineProcess, startEngine } from '../support/engineProcess.ts'
import { createRandom, type Random } from '../support/random.ts'
import { createHistory, type History } from './history.ts'
import { createLoad } from './load.ts'
import { createReference, type Reference, type Told } from './reference.ts'
import { callState, dumpState, toldOf } from './stateCalls.ts'

const ROUNDS = Math.ceil(Number(process.env.III_FAULT_ROUNDS ?? 200) / 10)
const PATIENT_MS = 60_000 + ROUNDS * 6000
const IN_FLIGHT = 64

const KEEPING = '  - name: iii-state\n  - name: iii-stream\n    config: { port: 0 }\n'

interface Loaded {
  readonly history: History
  /** In the order in which the function of a trigger was called with them. */
  readonly events: readonly Told[]
  /** Resolves when all calls are over. */
  end(): Promise<void>
}

/** Writes until so many are answered; a trigger is told of all of it. */
async function write(
  engine: EngineProcess,
  base: Reference,
  random: Random,
  { levels, enough, framing }: { levels: readonly Level[]; enough: number; framing: 'json' | 'msgpack' },
): Promise<Loaded> {
  const history = createHistory(base, { isFar: true })
  const client = connectWorker(engine.url, {
    workerName: 'writer',
    reconnect: false,
    framing,
    onWarning() {},
  })
  const load = createLoad({ random, levels, reference: history.reference, isState: true })
  const events: Told[] = []
  const reached = Promise.withResolvers<void>()
  let isOver = false
  let problem: unknown
  client.registerFunction('seen::change', event => void events.push(toldOf(event as never)))
  client.registerTrigger({ type: 'state', function_id: 'seen::change', config: {} })
  await client.ready()

  async function lane(): Promise<void> {
    while (!isOver) {
      const transaction = load()
      const id = history.sent(transaction)
      const outcome = await callState(client, id, transaction)
      if (outcome === undefined) break
      try {
        history.done(id, outcome)
      } catch (error) {
        problem ??= error
        reached.resolve()
        break
      }
      if (history.answered() >= enough) reached.resolve()
    }
  }
  const lanes = Promise.all(Array.from({ length: IN_FLIGHT }, lane)).then(() => reached.resolve())
  await reached.promise
  if (problem !== undefined) throw problem
  return {
    history,
    events,
    async end() {
      isOver = true
      await lanes
      await client.shutdown()
      if (problem !== undefined) throw problem
    },
  }
}

/** Told in order, from the first on; the last may be missing. */
function checkEvents(events: readonly Told[], changes: readonly Told[]): void {
  const withoutRevision = ({ revision: _, ...told }: Told) => told
  expect(events.map(withoutRevision)).toEqual(changes.slice(0, events.length).map(withoutRevision))
}

async function rounds(signal: 'SIGKILL' | 'SIGTERM', count: number): Promise<void> {
  const random = createRandom()
  await using engine = await startEngine({ workers: KEEPING })
  let base = createReference()
  let before: Loaded | undefined
  let answered = 0
  const began = performance.now()

  for (let round = 0; round <= count; round++) {
    try {
      await using stack = new AsyncDisposableStack()
      const framing = random.between(0, 2) === 0 ? 'json' : 'msgpack'
      const client = connectWorker(engine.url, { workerName: 'reader', reconnect: false, framing })
      stack.defer(() => client.shutdown())
      await client.ready()
      const dump = await dumpState(client, base.revision())
      if (before !== undefined) {
        base = before.history.check(dump)
        if (dump.changes !== undefined) checkEvents(before.events, dump.changes)
      }
      if (round === count) break
      const levels: readonly Level[] = round % 2 === 0 ? ['disk'] : ['disk', 'os', 'memory']
      const loaded = await write(engine, base, random, { levels, enough: random.between(1, 1500), framing })
      await engine.restart(signal)
      await loaded.end()
      answered += loaded.history.answered()
      before = loaded
    } catch (error) {
      throw new Error(`seed ${random.seed}, round ${round}: ${(error as Error).message}`, { cause: error })
    }
  }
  const ms = Math.round((performance.now() - began) / count)
  console.log(
    `engine ${signal}: seed ${random.seed}, ${count} rounds, ${answered} answered, ${ms} ms a round`,
  )
  expect(answered).toBeGreaterThan(count)
}

describe('an engine under load', () => {
  test(
    'that is killed loses nothing it has acknowledged, and its feed of changes has no gap',
    () => rounds('SIGKILL', ROUNDS),
    PATIENT_MS,
  )

  test(
    'that is told to stop keeps everything, whatever level was asked for',
    () => rounds('SIGTERM', Math.ceil(ROUNDS / 4)),
    PATIENT_MS,
  )
})
