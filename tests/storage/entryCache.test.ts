import { describe, expect, test } from 'bun:test'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { createEntryCache, type Row } from '../../src/storage/sqlite/entryCache.ts'

function row(key: string, version = 1, value = '0'): Row {
  const entry = {
    key,
    value: asJsonText(value),
    version,
    createdAt: 1,
    updatedAtMs: 0,
    expiresAtMs: undefined,
  }
  return { entry, storedKey: key, checksum: version }
}

const keysOf = (count: number): string[] => Array.from({ length: count }, (_, number) => `k${number}`)

describe('the cache of entries', () => {
  test('has what was read, by collection and key', () => {
    const cache = createEntryCache(1_000_000)
    cache.add(1, 'a', row('a', 1))
    cache.add(2, 'a', row('a', 2))
    expect(cache.find(1, 'a')?.checksum).toBe(1)
    expect(cache.find(2, 'a')?.checksum).toBe(2)
    expect(cache.find(1, 'b')).toBeUndefined()
  })

  test('has what was written last', () => {
    const cache = createEntryCache(1_000_000)
    cache.add(1, 'a', row('a', 1))
    cache.write(1, 'a', row('a', 2))
    expect(cache.find(1, 'a')?.checksum).toBe(2)
    cache.write(1, 'a', undefined)
    expect(cache.find(1, 'a')).toBeUndefined()
  })

  test('forgets what a transaction wrote that is rolled back, and nothing else', () => {
    const cache = createEntryCache(1_000_000)
    cache.write(1, 'kept', row('kept', 1))
    cache.commit()
    cache.add(1, 'read', row('read', 2))
    cache.write(1, 'new', row('new', 3))
    cache.rollback()
    expect(cache.find(1, 'kept')?.checksum).toBe(1)
    expect(cache.find(1, 'read')?.checksum).toBe(2)
    expect(cache.find(1, 'new')).toBeUndefined()
  })

  test('forgets what was written and read again before the rollback', () => {
    const cache = createEntryCache(1_000_000)
    cache.write(1, 'a', row('a', 2))
    cache.add(1, 'a', row('a', 2))
    cache.rollback()
    expect(cache.find(1, 'a')).toBeUndefined()
  })

  test('takes nothing for committed that is read again after a savepoint', () => {
    const cache = createEntryCache(1_000_000)
    cache.write(1, 'a', row('a', 2))
    cache.rollbackToSavepoint()
    expect(cache.find(1, 'a')).toBeUndefined()
    cache.add(1, 'a', row('a', 2))
    cache.rollback()
    expect(cache.find(1, 'a')).toBeUndefined()
  })

  test('is bounded, and keeps what is used', () => {
    const cache = createEntryCache(100_000)
    const keys = keysOf(10_000)
    cache.add(1, 'used', row('used'))
    for (const key of keys) {
      cache.add(1, key, row(key))
      expect(cache.find(1, 'used')).toBeDefined()
    }
    const kept = keys.filter(key => cache.find(1, key) !== undefined).length
    expect(kept).toBeGreaterThan(50)
    expect(kept).toBeLessThan(400)
  })

  test('never has an older row of an entry, whatever was forgotten meanwhile', () => {
    const cache = createEntryCache(20_000)
    for (let version = 1; version < 2000; version++) {
      cache.write(1, 'a', row('a', version))
      cache.commit()
      for (const key of keysOf(version % 50)) cache.add(1, key, row(key))
      const found = cache.find(1, 'a')
      if (found !== undefined) expect(found.checksum).toBe(version)
    }
  })

  test('a large entry takes the place of none', () => {
    const cache = createEntryCache(100_000)
    cache.add(1, 'a', row('a'))
    cache.write(1, 'a', row('a', 2, 'x'.repeat(2000)))
    expect(cache.find(1, 'a')).toBeUndefined()
  })

  test('is empty when the database is another one', () => {
    const cache = createEntryCache(100_000)
    cache.add(1, 'a', row('a'))
    cache.clear()
    expect(cache.find(1, 'a')).toBeUndefined()
  })
})
