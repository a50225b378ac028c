/** `state::watch` (`docs/state.md#watching`). */
import { describe, expect, test } from 'bun:test'
import { limits } from '../../../src/protocol/limits.ts'
import { shards } from '../../support/shape.ts'
import { createState } from './support.ts'

interface Seen {
  readonly events: { readonly revision: number; readonly key: string; readonly new_value: unknown }[]
  readonly revision: number
}

async function open() {
  const world = await createState()
  const set = (key: string, value: unknown, scope = 's') => world.done('set', { scope, key, value })
  return { ...world, world, set }
}

describe('watching', () => {
  test('tells what happened after a revision, and from where to go on', async () => {
    const { done, set, clock } = await open()
    await set('a', 1)
    await set('b', 2)
    await done('delete', { scope: 's', key: 'a' })
    const event = { scope: 's', at: Math.floor(clock.now()) }
    expect(await done('watch', { since: 1 })).toEqual({
      events: [
        { ...event, revision: 2, event_type: 'state:created', key: 'b', old_value: null, new_value: 2 },
        { ...event, revision: 3, event_type: 'state:deleted', key: 'a', old_value: 1, new_value: null },
      ],
      revision: 3,
    })
    expect(await done('watch', { since: 3 })).toEqual({ events: [], revision: 3 })
    expect(await done('watch', {})).toEqual({ events: [], revision: 3 })
  })

  test('tells of one scope, or one key', async () => {
    const { done, set } = await open()
    for (const scope of ['s', 't']) for (const key of ['a', 'b']) await set(key, scope, scope)
    const keys = async (input: object) =>
      (await done<Seen>('watch', { since: 0, ...input })).events.map(({ revision }) => revision)
    expect(await keys({ scope: 't' })).toEqual([3, 4])
    expect(await keys({ key: 'a' })).toEqual([1, 3])
    expect(await keys({ scope: 's', key: 'b' })).toEqual([2])
  })

  test('goes on without loss or repetition, whatever the size of the pages', async () => {
    const { done, set } = await open()
    for (let n = 0; n < 25; n++) await set(n % 5 === 0 ? 'rare' : 'usual', n)
    const seen: unknown[] = []
    for (let since = 0; since < 25; ) {
      const { events, revision } = await done<Seen>('watch', { key: 'rare', since, limit: 2 })
      seen.push(...events.map(({ new_value }) => new_value))
      expect(revision).toBeGreaterThan(since)
      since = revision
    }
    expect(seen).toEqual([0, 5, 10, 15, 20])
  })

  test('of one key looks at many others at once, whatever the size of the page', async () => {
    const { done, partition } = await open()
    for (let n = 0; n < 3; n++) {
      const operations = Array.from({ length: 300 }, () => ({ op: 'set', key: 'usual', value: n }))
      await done('batch', { scope: 's', operations })
    }
    let looks = 0
    const { since } = partition
    Object.assign(partition, {
      since: (...asked: Parameters<typeof since>) => {
        looks++
        return since(...asked)
      },
    })
    const answer = await done('watch', { scope: 's', key: 'rare', since: 0, limit: 1 })
    expect(answer).toEqual({ events: [], revision: 900 })
    expect(looks).toBe(1)
  })

  // Here the state stands on the main thread. With shards it never does, and to its own thread calls have no such bound.
  test.skipIf(shards > 0)('by many holds nobody back who calls the state', async () => {
    const { asks, answerOf, world, settled } = await open()
    const ids = Array.from({ length: limits.callsToBuiltIns + 100 }, () => asks('watch', { wait_ms: 5000 }))
    await settled()
    const other = world.join()
    other.calls('state::get', { scope: 's', key: 'a' })
    await settled()
    expect(other.link.isPaused).toBe(false)
    expect(answerOf(ids[0]!)).toBeUndefined()
  })

  test('wakes those only that a change is for', async () => {
    const { asks, answerOf, done, settled } = await open()
    const wait = (input: object) => asks('watch', { since: 0, wait_ms: 5000, ...input })
    const ids = [
      {},
      { scope: 's' },
      { scope: 's', key: 'a' },
      { key: 'a' },
      { scope: 't' },
      { scope: 't', key: 'b' },
    ].map(wait)
    await settled()
    const operations = [{ op: 'set', key: 'b', value: 1 }]
    await done('batch', { scope: 's', operations })
    await settled()
    expect(ids.map(id => answerOf(id) !== undefined)).toEqual([true, true, false, false, false, false])
    await done('set', { scope: 't', key: 'b', value: 1 })
    await settled()
    expect(ids.slice(2).map(id => answerOf(id) !== undefined)).toEqual([false, false, true, true])
    await done('set', { scope: 's', key: 'a', value: 1 })
    await settled()
    expect(ids.slice(2, 4).map(id => answerOf(id) !== undefined)).toEqual([true, true])
  })

  test('waits for something to happen', async () => {
    const { asks, answerOf, set, settled } = await open()
    await set('a', 0)
    const id = asks('watch', { scope: 's', key: 'b', since: 1, wait_ms: 5000 })
    await set('a', 1)
    await set('b', 1, 'another')
    await settled()
    expect(answerOf(id)).toBeUndefined()
    await set('b', 2)
    await settled()
    expect((answerOf(id)!.result as Seen).events).toMatchObject([{ key: 'b', new_value: 2 }])
  })

  test('from now on misses nothing that happens after the call', async () => {
    const { asks, answerOf, set, settled } = await open()
    await set('a', 0)
    const id = asks('watch', { wait_ms: 5000 })
    await set('a', 1)
    await settled()
    expect((answerOf(id)!.result as Seen).events).toMatchObject([{ new_value: 1 }])
  })

  test('waits no longer than it was told to', async () => {
    const { asks, answerOf, clock, settled } = await open()
    const id = asks('watch', { wait_ms: 5000 })
    await settled()
    clock.advance(4999)
    await settled()
    expect(answerOf(id)).toBeUndefined()
    clock.advance(2)
    await settled()
    expect(answerOf(id)?.result).toEqual({ events: [], revision: 0 })
  })

  test('ends when the worker drains', async () => {
    const { asks, answerOf, state, settled } = await open()
    const id = asks('watch', { wait_ms: 5000 })
    await settled()
    await state.drain()
    await settled()
    expect(answerOf(id)?.result).toEqual({ events: [], revision: 0 })
  })

  test('from a revision that is not known says so', async () => {
    const { ask, set } = await open()
    await set('a', 1)
    expect((await ask('watch', { since: 9 })).error).toMatchObject({ code: 'REVISION_GONE', revision: 1 })
  })

  test.each([
    [{ since: -1 }, 'field `since`: expected a whole number from 0 on, got -1'],
    [{ limit: 1001 }, 'field `limit`: expected a whole number from 1 to 1000, got 1001'],
    [{ wait_ms: 25_001 }, 'field `wait_ms`: expected a whole number from 0 to 25000, got 25001'],
  ])('with %j is refused', async (input, why) => {
    const { ask } = await open()
    expect((await ask('watch', input)).error?.message).toBe(
      `Failed to deserialize input for state::watch: ${why}`,
    )
  })
})
