/** What a scenario has to act with, and how the table of scenarios becomes tests. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Running, startIii, temporaryFolder } from '../../cli/support.ts'
import { type EngineProcess, startEngine } from '../../support/engineProcess.ts'
import { connectRaw, type RawClient } from '../../support/rawClient.ts'
import { until } from '../../support/waiting.ts'
import { type ClientUnderTest, prepare } from '../clients.ts'
import { CallFailed, type DrivenWorker, type Driver, startDriver } from '../driver.ts'

export interface Stage {
  readonly engine: EngineProcess
  readonly client: ClientUnderTest
  readonly driver: Driver
  /** A worker of the client under test, connected under the name `name`. */
  readonly worker: DrivenWorker
  readonly name: string
  /** A connection without an SDK. */
  readonly raw: RawClient
  /** A name that no other scenario uses: `<scenario>::<name>`. */
  id(name: string): string
  /** Resolves when the engine knows the function. */
  known(functionId: string): Promise<void>
  /** Resolves when a trigger of that type is bound to that function. */
  bound(triggerType: string, functionId: string): Promise<void>
}

export interface Scenario {
  readonly name: string
  /** Absent: every client. */
  readonly only?: (client: ClientUnderTest) => boolean
  readonly timeoutMs?: number
  run(stage: Stage): Promise<void>
}

/** The first run installs packages and compiles. */
export const PREPARE_MS = 15 * 60_000
const SCENARIO_MS = 60_000

/** The rows of `engine::…::list`. */
export async function listed(
  raw: RawClient,
  kind: 'functions' | 'workers' | 'registered-triggers',
  input: object = {},
): Promise<Record<string, unknown>[]> {
  const { result, error } = await raw.call(`engine::${kind}::list`, input)
  if (error !== undefined) throw new Error(`${error.code}: ${error.message}`)
  return (result as Record<string, Record<string, unknown>[]>)[kind.replace('-', '_')]!
}

export async function untilKnown(raw: RawClient, functionId: string): Promise<void> {
  await until(`function ${functionId} is known`, async () =>
    (await listed(raw, 'functions')).some(row => row.function_id === functionId),
  )
}

export async function untilBound(raw: RawClient, triggerType: string, functionId: string): Promise<void> {
  await until(`a ${triggerType} trigger of ${functionId} is bound`, async () =>
    (await listed(raw, 'registered-triggers', { include_internal: true })).some(
      row => row.trigger_type === triggerType && row.function_id === functionId,
    ),
  )
}

/** The failure of a call that must fail. */
export async function failure(call: Promise<unknown>): Promise<{ code: string; message: string }> {
  const outcome = await call.then(
    value => ({ value }),
    error => ({ error }),
  )
  if ('value' in outcome) throw new Error(`it did not fail but gave ${JSON.stringify(outcome.value)}`)
  expect(outcome.error).toBeInstanceOf(CallFailed)
  const { code, message } = outcome.error as CallFailed
  return { code, message }
}

/** Why the tests of this client are left out here, if they are. In CI everything has to be there. */
export function skipReason(client: ClientUnderTest): string | undefined {
  const missing = client.missing()
  return missing === undefined || process.env.CI ? undefined : missing
}

export interface StageOptions {
  /** Built-ins, as they stand in a configuration. */
  readonly workers?: string
  /** A built-in that is not in the engine but a process of its own (`iii worker run`). */
  readonly alone?: string
}

/** Starts a built-in as a process of its own; resolves when it serves. */
async function startAlone(name: string, url: string, folder: string): Promise<Running> {
  const worker = startIii(['worker', 'run', name, '--url', url, '--json'], { cwd: folder })
  await worker.stdoutHas('\n')
  return worker
}

/** Runs every scenario that applies to this client, all on one engine and one driver process. */
export function playScenarios(
  client: ClientUnderTest,
  scenarios: readonly Scenario[],
  { workers = '', alone }: StageOptions = {},
): void {
  const reason = skipReason(client)
  const where = alone === undefined ? '' : `, ${alone} as a process of its own`
  const left = reason === undefined ? '' : ` (left out: ${reason})`
  const title = `${client.name}${where}${left}`
  describe.skipIf(reason !== undefined)(title, () => {
    let engine: EngineProcess
    let driver: Driver
    let folder: ReturnType<typeof temporaryFolder>
    let process: Running | undefined

    beforeAll(async () => {
      const command = await prepare(client)
      engine = await startEngine({ workers })
      folder = temporaryFolder()
      if (alone !== undefined) process = await startAlone(alone, engine.url, folder.path)
      driver = startDriver(command)
    }, PREPARE_MS)

    afterAll(async () => {
      await driver?.[Symbol.asyncDispose]()
      await process?.[Symbol.asyncDispose]()
      folder?.[Symbol.dispose]()
      await engine?.[Symbol.asyncDispose]()
    })

    scenarios.forEach((scenario, number) => {
      if (scenario.only?.(client) === false) return
      test(
        scenario.name,
        async () => {
          await using raw = await connectRaw(engine.url)
          const name = `worker-${number}`
          const worker = await driver.connect(engine.url, { name })
          try {
            await scenario.run({
              engine,
              client,
              driver,
              worker,
              name,
              raw,
              id: part => `s${number}::${part}`,
              known: functionId => untilKnown(raw, functionId),
              bound: (triggerType, functionId) => untilBound(raw, triggerType, functionId),
            })
          } finally {
            // A scenario may have ended it itself.
            await worker.shutdown().catch(() => {})
          }
        },
        scenario.timeoutMs ?? SCENARIO_MS,
      )
    })
  })
}
