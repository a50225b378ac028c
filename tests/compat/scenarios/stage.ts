/** What a scenario has to act with, and how the table of scenarios becomes tests. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
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

/** Runs every scenario that applies to this client, all on one engine, with these built-ins, and one driver process. */
export function playScenarios(client: ClientUnderTest, scenarios: readonly Scenario[], workers = ''): void {
  const reason = skipReason(client)
  const title = reason === undefined ? client.name : `${client.name} (left out: ${reason})`
  describe.skipIf(reason !== undefined)(title, () => {
    let engine: EngineProcess
    let driver: Driver

    beforeAll(async () => {
      const command = await prepare(client)
      engine = await startEngine({ workers })
      driver = startDriver(command)
    }, PREPARE_MS)

    afterAll(async () => {
      await driver?.[Symbol.asyncDispose]()
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
