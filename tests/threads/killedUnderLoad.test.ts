/** Shards are killed again and again while calls cross them: each call has one answer, or its caller knows why not. */
import { expect, test } from 'bun:test'
import { connectRaw, type RawClient } from '../support/rawClient.ts'
import { until } from '../support/waiting.ts'
import { type Attack, startAttackedEngine } from './attack/engine.ts'

const SHARDS = 2
const PARTICIPANTS = 8
const IN_FLIGHT = 8
const KILLS = 6
/** Far more than any call takes that is answered at all. */
const LOST_MS = 20_000

interface Tally {
  results: number
  stopped: number
  /** While its worker is on its way back. */
  notFound: number
  /** The caller's own connection was lost first. */
  disconnected: number
  other: string[]
}

test('killing shards under load loses no call silently', async () => {
  await using engine = await startAttackedEngine(SHARDS, { shardLosses: 100, shardPauseMs: 1 })
  const tally: Tally = { results: 0, stopped: 0, notFound: 0, disconnected: 0, other: [] }
  const answers = new Map<string, number>()
  let made = 0
  let isOver = false

  /** A worker that comes back when its connection is lost, and its calls on one connection. */
  async function takePart(index: number): Promise<void> {
    let previous: RawClient | undefined
    while (!isOver) {
      const client: RawClient = await until('a connection', () =>
        connectRaw(engine.url, {
          name: `worker-${index}`,
          ...(previous === undefined ? {} : { reattach: previous }),
        }),
      )
      previous = client
      client.serve(`echo::${index}`, ({ data }) => ({ result: (data as { tag: number }).tag }))
      let isClosed = false
      void client.closed.then(() => {
        isClosed = true
      })
      const lanes = Array.from({ length: IN_FLIGHT }, async () => {
        while (!isOver && !isClosed) await callOnce(client, index)
      })
      await Promise.all(lanes)
      if (isOver) {
        // An answer too many would come now.
        if (!isClosed) await client.settled()
        for (const frame of client.waiting())
          if (frame.type === 'invocationresult') tally.other.push('an answer that nobody waits for')
        await client.close()
      }
    }
  }

  async function callOnce(client: RawClient, from: number): Promise<void> {
    const tag = ++made
    const to = (from + 1 + (tag % (PARTICIPANTS - 1))) % PARTICIPANTS
    try {
      const { result, error } = await client.call(`echo::${to}`, { tag }, { withinMs: LOST_MS })
      const key = String(tag)
      answers.set(key, (answers.get(key) ?? 0) + 1)
      if (error === undefined && result === tag) tally.results++
      else if (error?.code === 'invocation_stopped') tally.stopped++
      else if (error?.code === 'function_not_found') tally.notFound++
      else tally.other.push(error?.code ?? `the result of another call: ${JSON.stringify(result)}`)
    } catch (reason) {
      if (String(reason).includes('connection is closed')) tally.disconnected++
      else tally.other.push(String(reason))
    }
  }

  const participants = Promise.all(Array.from({ length: PARTICIPANTS }, (_, index) => takePart(index)))
  const ways: Attack[] = ['throw', 'exit', 'reject']
  for (let kill = 0; kill < KILLS; kill++) {
    const enough = made + 1500
    await until('calls go on', () => made >= enough)
    await until('the shard is there to be killed', () =>
      engine.attack(1 + (kill % SHARDS), ways[kill % ways.length]!).then(() => true),
    )
    await until('it is lost', () => engine.losses() > kill)
  }
  const enough = tally.results + 1000
  await until('results come again', () => tally.results >= enough)
  isOver = true
  await participants
  console.log(`killed under load: ${JSON.stringify({ kills: KILLS, made, ...tally })}`)
  expect(tally.other).toEqual([])
  expect(tally.results + tally.stopped + tally.notFound + tally.disconnected).toBe(made)
  expect(Math.max(...answers.values())).toBe(1)
  expect(await engine.stop()).toBe(0)
}, 120_000)
