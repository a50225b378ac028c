import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { prepare, pypiClients } from '../compat/clients.ts'
import { type EngineProcess, startEngine } from '../support/engineProcess.ts'
import { until } from '../support/waiting.ts'

const examples = join(import.meta.dir, '../../examples')
const PREPARE_MS = 5 * 60_000

let engine: EngineProcess
const workers: Bun.Subprocess[] = []

beforeAll(async () => {
  engine = await startEngine()
})
afterAll(async () => {
  for (const worker of workers) worker.kill('SIGKILL')
  await engine[Symbol.asyncDispose]()
})

function startWorker(...command: string[]): Bun.Subprocess {
  const env = { ...process.env, III_URL: engine.url }
  const worker = Bun.spawn(command, { env, stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' })
  workers.push(worker)
  return worker
}

async function answerOf(path: string, init: RequestInit = {}): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(engine.http + path, init)
  return { status: answer.status, body: await answer.json() }
}

const order = (items: object[]) =>
  answerOf('/orders', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ items }),
  })

describe('hello', () => {
  test('greets over HTTP, and its route goes with it', async () => {
    const worker = startWorker(process.execPath, join(examples, 'hello/worker.ts'))
    await until('the route answers', async () => (await answerOf('/hello')).status === 200)
    expect(await answerOf('/hello?name=Ada')).toEqual({ status: 200, body: { message: 'Hello, Ada!' } })
    expect(await answerOf('/hello')).toEqual({ status: 200, body: { message: 'Hello, world!' } })
    // Whoever calls the function itself may give it nothing.
    for (const payload of ['{}', 'null']) {
      const words = ['trigger', 'hello::greet', '--payload', payload]
      const call = Bun.spawn([process.execPath, join(examples, '../src/main.ts'), ...words], {
        env: { ...process.env, III_URL: engine.url },
        stdout: 'pipe',
      })
      expect(JSON.parse(await new Response(call.stdout).text())).toMatchObject({ status_code: 200 })
    }

    worker.kill()
    await until('the route is gone', async () => (await answerOf('/hello')).status === 404)
  })
})

const python = pypiClients.at(-1)!
const reason = python.missing()
const leftOut = reason !== undefined && !process.env.CI

describe.skipIf(leftOut)(`polyglot${leftOut ? ` (left out: ${reason})` : ''}`, () => {
  beforeAll(async () => {
    const [program] = await prepare(python)
    startWorker(program!, join(examples, 'polyglot/pricing.py'))
    startWorker(process.execPath, join(examples, 'polyglot/orders.ts'))
    await until('an order is taken', async () => (await order([{ sku: 'cup', quantity: 1 }])).status === 201)
  }, PREPARE_MS)

  test('a request goes through TypeScript and Python', async () => {
    expect(await order([{ sku: 'tea', quantity: 2 }])).toEqual({
      status: 201,
      body: {
        order_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        items: [{ sku: 'tea', quantity: 2 }],
        total: 9,
        currency: 'EUR',
      },
    })
  })

  test('an error in Python reaches the one who asked', async () => {
    const { status, body } = await order([{ sku: 'coffee', quantity: 1 }])
    expect(status).toBe(502)
    expect((body as { error: string }).error).toContain('there is no price for coffee')
  })

  test('an empty order does not leave TypeScript', async () => {
    expect(await order([])).toEqual({ status: 400, body: { error: 'an order has at least one item' } })
  })

  test('uses the client that the compatibility tests check', async () => {
    const requirements = await Bun.file(join(examples, 'polyglot/requirements.txt')).text()
    expect(requirements.trim()).toBe(`iii-sdk==${python.version}`)
  })
})
