/** What shards have counted outlives them. */
import { describe, expect, test } from 'bun:test'
import { createLedger, ledgerWriter } from '../../src/threads/ledger.ts'
import { until } from '../support/waiting.ts'
import { createWorld } from '../support/world.ts'
import { startAttackedEngine } from './attack/engine.ts'

const zero = () => ({ ...createWorld().engine.state.counters })

describe('the ledger of a place', () => {
  test('has every counter, and what was written or said, whichever is newer', () => {
    const ledger = createLedger()
    expect(ledger.total(1)).toEqual(zero())
    const counters = zero()
    const write = ledgerWriter(ledger.begins(1), counters)
    for (const [index, name] of Object.keys(counters).entries())
      Object.assign(counters, { [name]: index + 1 })
    expect(ledger.total(1)).toEqual(zero())
    write()
    expect(ledger.total(1)).toEqual(counters)
    ledger.said(1, { ...counters, calls: 100 })
    expect(ledger.total(1)).toEqual({ ...counters, calls: 100 })
    counters.calls = 101
    write()
    expect(ledger.total(1)).toEqual({ ...counters, calls: 101 })
    expect(ledger.total(2)).toEqual(zero())
  })

  test('keeps what lost shards have counted, and counts nothing twice', () => {
    const ledger = createLedger()
    const counters = { ...zero(), calls: 5 }
    const write = ledgerWriter(ledger.begins(1), counters)
    write()
    ledger.said(1, { ...counters, calls: 7 })
    ledger.lost(1)
    expect(ledger.total(1).calls).toBe(7)
    // It ends a moment later.
    write()
    expect(ledger.total(1).calls).toBe(7)
    const next = { ...zero(), calls: 2 }
    ledgerWriter(ledger.begins(1), next)()
    expect(ledger.total(1).calls).toBe(9)
    ledger.lost(1)
    expect(ledger.total(1).calls).toBe(9)
  })
})

test('an engine knows how many calls a shard has served that is lost', async () => {
  await using engine = await startAttackedEngine(2)
  await using standing = await engine.connectOn(2)
  const victim = await engine.connectOn(1)
  victim.serve('victim::echo', () => ({ result: 1 }))
  await victim.settled()
  for (let count = 0; count < 50; count++) await victim.call('victim::echo')
  const calls = async (): Promise<number> => {
    const { result } = await standing.call('engine::status')
    return (result as { counters: { calls: number } }).counters.calls
  }
  const before = await calls()
  await engine.attack(1, 'throw')
  await victim.closed
  let least = Number.POSITIVE_INFINITY
  await until('another shard is there', async () => {
    least = Math.min(least, await calls())
    return engine.losses() === 1 && (await engine.isThere(1))
  })
  expect(least).toBeGreaterThanOrEqual(before)
  // Its own questions are counted, and little else.
  expect(await calls()).toBeLessThan(before + 1000)
}, 30_000)
