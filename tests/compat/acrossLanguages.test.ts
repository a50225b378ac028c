import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type EngineProcess, startEngine } from '../support/engineProcess.ts'
import { connectRaw } from '../support/rawClient.ts'
import { allClients, type ClientUnderTest, prepare } from './clients.ts'
import { type DrivenWorker, type Driver, startDriver } from './driver.ts'
import { listed, PREPARE_MS, skipReason, untilKnown } from './scenarios/stage.ts'

/** Clients that this machine can run; `<client>.test.ts` says why others are left out. */
const clients = allClients.filter(client => skipReason(client) === undefined)

const relayOf = ({ name }: ClientUnderTest): string => `${name}::relay`
const echoOf = ({ name }: ClientUnderTest): string => `${name}::echo`

describe('published clients of every language and generation, connected at the same time', () => {
  let engine: EngineProcess
  const drivers: Driver[] = []
  const workers = new Map<ClientUnderTest, DrivenWorker>()

  beforeAll(async () => {
    engine = await startEngine()
    for (const client of clients) {
      const driver = startDriver(await prepare(client))
      drivers.push(driver)
      const worker = await driver.connect(engine.url, { name: client.name })
      await worker.offer(echoOf(client), 'echo')
      await worker.offer(relayOf(client), 'relay')
      workers.set(client, worker)
    }
    await using raw = await connectRaw(engine.url)
    for (const client of clients) await untilKnown(raw, relayOf(client))
  }, PREPARE_MS)

  afterAll(async () => {
    for (const driver of drivers) await driver[Symbol.asyncDispose]()
    await engine[Symbol.asyncDispose]()
  })

  test.each(clients.map(client => [client.name, client] as const))(
    '%s calls all of them',
    async (_, caller) => {
      for (const callee of clients) {
        const payload = { from: caller.name, to: callee.name, tea: '茶', price: 4.5, none: null }
        expect(await workers.get(caller)!.call(echoOf(callee), payload)).toEqual(payload)
      }
    },
  )

  test('one call goes through all of them', async () => {
    await using raw = await connectRaw(engine.url)
    const through = clients.reduceRight<{ function_id: string; payload: unknown }>(
      (next, client) => ({ function_id: relayOf(client), payload: next }),
      { function_id: echoOf(clients[0]!), payload: 'the end' },
    )
    let { result } = await raw.call(through.function_id, through.payload)
    for (const _ of clients) result = (result as { relayed: unknown }).relayed
    expect(result).toBe('the end')
  })

  test('all of them are listed as connected', async () => {
    await using raw = await connectRaw(engine.url)
    const rows = await listed(raw, 'workers', { status: 'connected' })
    expect(rows.map(row => row.name)).toEqual(expect.arrayContaining(clients.map(({ name }) => name)))
  })
})
