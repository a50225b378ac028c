import { expect, test } from 'bun:test'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { EntryChange } from '../../src/storage/change.ts'
import { createFeed } from '../../src/storage/feed.ts'
import { createMemoryStore } from '../../src/storage/memory/store.ts'
import { createRecentChanges } from '../../src/storage/recent.ts'
import { putOf, scope, setStage } from './stage.ts'

const changeAt = (revision: number): EntryChange => ({
  revision,
  atMs: 0,
  ...scope('s'),
  key: `${revision}`,
  event: 'created',
  reason: undefined,
  oldValue: undefined,
  newValue: undefined,
  type: undefined,
})

test('a feed that is read while the disk recovers leaves nothing out', async () => {
  const count = limits.feedPortion
  const changes = Array.from({ length: count }, (_, place) => changeAt(place + 1))
  // The last one is in the store, but was not told: its commit may not be on disk.
  let told = count - 1
  const recent = createRecentChanges(told, { changes: 10, bytes: 1e6, ageMs: 1e6 })
  const store = {
    ...createMemoryStore(),
    revision: () => count,
    oldest: () => 0,
    portion: (revision: number) => ({ changes: changes.slice(revision), revision: count }),
  }
  const since = createFeed(
    store,
    recent,
    () => told,
    task => {
      told = count
      recent.add(changes.slice(-1))
      task()
    },
  )
  const feed = await since('state', 0, 2 * count)
  expect(feed).toMatchObject({ kind: 'changes', revision: count })
  expect('changes' in feed && feed.changes.map(({ revision }) => revision)).toEqual(
    changes.map(({ revision }) => revision),
  )
})

test('a quiet write is told without what was there before', async () => {
  const { partition, endTurn, committals } = setStage()
  const write = async (value: string): Promise<void> => {
    const written = partition.submit([putOf('a', value, { isQuiet: true })])
    endTurn()
    await written
  }
  await write('1')
  await write('2')
  expect(committals.flatMap(({ changes }) => changes).at(-1)).toMatchObject({
    key: 'a',
    event: 'updated',
    oldValue: undefined,
    newValue: '2',
  })
  expect(await partition.read(tables => tables.get(scope('s'), 'a')?.value)).toBe(asJsonText('2'))
})
