import { describe, expect, test } from 'bun:test'
import { type CallTable, createSlotTable } from '../../src/engine/callTable.ts'
import type { Invocation } from '../../src/engine/invocations.ts'

/** Only the table's own field is looked at. */
const newCall = (): Invocation => ({ calleeInvocationId: 0 }) as unknown as Invocation

function enter(table: CallTable): Invocation {
  const call = newCall()
  table.enter(call)
  return call
}

describe('calls of a msgpack worker', () => {
  test('are found by the ids they were given, until they are taken out', () => {
    const table = createSlotTable()
    const calls = Array.from({ length: 100 }, () => enter(table))
    for (const call of calls) expect(table.get(call.calleeInvocationId)).toBe(call)
    expect(new Set(calls.map(call => call.calleeInvocationId)).size).toBe(100)
    for (const call of calls) table.remove(call, false)
    for (const call of calls) expect(table.get(call.calleeInvocationId)).toBeUndefined()
    expect([table.size(), [...table.values()].length]).toEqual([0, 0])
  })

  test('keep ids in the form of five bytes and below 2^31, however often a slot is used', () => {
    const table = createSlotTable()
    const ids = new Set<number>()
    for (let count = 0; count < 5000; count++) {
      const call = enter(table)
      const id = call.calleeInvocationId as number
      expect(id).toBeGreaterThanOrEqual(65_536)
      expect(id).toBeLessThan(2 ** 31)
      ids.add(id)
      table.remove(call, false)
    }
    expect(ids.size).toBe(2047)
  })

  test('that were not answered leave an id that no other call gets for a long time', () => {
    const table = createSlotTable()
    const lost = enter(table)
    table.remove(lost, true)
    for (let count = 0; count < 60_000; count++) {
      const call = enter(table)
      expect(call.calleeInvocationId).not.toBe(lost.calleeInvocationId)
      table.remove(call, count % 2 === 0)
    }
    expect(table.get(lost.calleeInvocationId)).toBeUndefined()
  })

  test('that are never answered do not make the table grow without end', () => {
    const table = createSlotTable()
    let highest = 0
    for (let count = 0; count < 300_000; count++) {
      const call = enter(table)
      highest = Math.max(highest, (call.calleeInvocationId as number) & (2 ** 20 - 1))
      table.remove(call, true)
    }
    expect(highest).toBeLessThan(70_000)
  })
})
