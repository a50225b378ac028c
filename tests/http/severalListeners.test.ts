/** The http worker where it stands on several threads: its triggers come from another one, a moment later. */
import { expect, test } from 'bun:test'
import type { BuiltInClient, TriggerProvider } from '../../sdk/typescript/src/worker.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { silentLog } from '../../src/log/log.ts'
import { toJsonText } from '../../src/protocol/jsonText.ts'
import { httpConfigSchema } from '../../workers/http/config.ts'
import { createHttpWorker } from '../../workers/http/worker.ts'
import { until } from '../support/waiting.ts'

const binding = {
  id: 'T',
  function_id: 'x::f',
  config: toJsonText({ api_path: '/x', http_method: 'GET' }),
  metadata: undefined,
  namespace: undefined,
} as unknown as Parameters<TriggerProvider['bind']>[0]

/** An engine that answers every call with 1. */
function createClient(): { client: BuiltInClient; provider(): TriggerProvider | undefined } {
  let provider: TriggerProvider | undefined
  const client = {
    registerTriggerType(_: unknown, given: TriggerProvider) {
      provider = given
      return { unregister() {} }
    },
    call(_: unknown, answer: (error: undefined, result: string) => void) {
      queueMicrotask(() => answer(undefined, '{"body":1}'))
      return () => {}
    },
  }
  return { client: client as unknown as BuiltInClient, provider: () => provider }
}

const parts = { log: silentLog, clock: systemClock, reusePort: true }
const config = httpConfigSchema.parse({ port: 0 })

test('it listens when what it has registered is in effect, and the triggers that are there are bound', async () => {
  const { client, provider } = createClient()
  const registered = Promise.withResolvers<void>()
  let listens = false
  const started = createHttpWorker(config, { ...parts, hasRegistered: () => registered.promise }).start(
    client,
  )
  void started.then(() => {
    listens = true
  })
  await until('it has registered its trigger type', () => provider())
  await new Promise(resolve => setImmediate(resolve))
  expect(listens).toBe(false)
  provider()!.bind(binding)
  registered.resolve()
  const worker = await started
  expect((await fetch(`${worker.addresses.http}/x`)).status).toBe(200)
  await worker.stop()
})

test('a path is unknown only when everything has come that its thread was sent', async () => {
  const { client, provider } = createClient()
  let isSent = false
  const upToDate = async (): Promise<void> => {
    if (isSent) provider()!.bind(binding)
  }
  const worker = await createHttpWorker(config, { ...parts, upToDate }).start(client)
  expect((await fetch(`${worker.addresses.http}/x`)).status).toBe(404)
  isSent = true
  expect((await fetch(`${worker.addresses.http}/x`)).status).toBe(200)
  await worker.stop()
})
