import { describe, expect, test } from 'bun:test'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import { createMemoryStore } from '../../src/storage/memory/store.ts'
import type { Partition } from '../../src/storage/partition.ts'
import type { StorageError } from '../../src/storage/storageError.ts'
import { putOf, refusalCode, removalOf, scope, setStage, updateOf } from './stage.ts'

const valueAt = async (partition: Partition, key: string): Promise<string | undefined> =>
  await partition.read(tables => tables.get(scope('s'), key)?.value)

describe('a turn', () => {
  test('commits everything that was submitted in it at once', async () => {
    const { partition, endTurn, committals } = setStage()
    const submitted = Array.from({ length: 50 }, (_, number) => partition.submit([putOf(`k${number}`)]))
    expect(partition.status().commits).toBe(0)
    endTurn()
    expect((await Promise.all(submitted)).map(({ revision }) => revision)).toEqual(
      Array.from({ length: 50 }, (_, number) => number + 1),
    )
    expect(partition.status()).toMatchObject({ commits: 1, commands: 50, revision: 50 })
    expect(committals).toHaveLength(1)
  })

  test('tells followers before callers, and neither before the commit', async () => {
    const { partition, endTurn } = setStage()
    const order: string[] = []
    partition.follow(() => order.push('follower'))
    const submitted = partition.submit([putOf('a')]).then(() => order.push('caller'))
    await Promise.resolve()
    expect(order).toEqual([])
    endTurn()
    await submitted
    expect(order).toEqual(['follower', 'caller'])
  })

  test('lets readers wait for what was submitted before', async () => {
    const { partition, endTurn } = setStage()
    expect(partition.read(() => 'at once')).toBe('at once')
    void partition.submit([putOf('a', '"new"')])
    const read = valueAt(partition, 'a')
    endTurn()
    expect(await read).toBe('"new"')
  })

  test('goes on when a follower throws', async () => {
    const { partition, endTurn, log } = setStage()
    partition.follow(() => {
      throw new Error('follower')
    })
    const submitted = partition.submit([putOf('a')])
    endTurn()
    expect((await submitted).revision).toBe(1)
    expect(log.warnings()).toHaveLength(1)
  })

  test('is not larger than it may be: what is too much goes into the next, in order', async () => {
    const { partition, endTurn, committals } = setStage()
    const text = (letter: string): string => `"${letter.repeat(limits.turnCharacters / 2)}"`
    const submitted = [...'abcde'].map(letter => partition.submit([putOf(letter, text(letter))]))
    const small = partition.submit([putOf('small')])
    const read = valueAt(partition, 'small')
    endTurn()
    expect(committals.map(({ changes }) => changes.map(({ key }) => key))).toEqual([['a', 'b']])
    const later = partition.submit([putOf('later')])
    endTurn()
    endTurn()
    expect(committals.map(({ changes }) => changes.map(({ key }) => key))).toEqual([
      ['a', 'b'],
      ['c', 'd'],
      ['e', 'small', 'later'],
    ])
    await Promise.all([...submitted, small, later])
    expect(await read).toBe('1')
  })

  test('is finished by closing, however many transactions that takes', async () => {
    const { partition } = setStage()
    const text = `"${'x'.repeat(limits.turnCharacters)}"`
    const submitted = ['a', 'b', 'c'].map(key => partition.submit([putOf(key, text)]))
    await partition.close()
    expect((await Promise.all(submitted)).map(({ revision }) => revision)).toEqual([1, 2, 3])
  })

  test('with nothing to keep commits nothing', async () => {
    const { partition, endTurn, committals } = setStage()
    const submitted = partition.submit([removalOf('missing')])
    endTurn()
    expect((await submitted).answers).toEqual([
      { oldValue: undefined, newValue: undefined, version: 0, errors: [] },
    ])
    expect(partition.status().commits).toBe(0)
    expect(committals).toEqual([])
  })

  test('that only publishes is told', async () => {
    const { partition, endTurn, committals } = setStage()
    const submitted = partition.submit([{ command: 'publish', topic: 'news', data: asJsonText('1') }])
    endTurn()
    await submitted
    expect(committals).toEqual([{ changes: [], publications: [{ topic: 'news', data: asJsonText('1') }] }])
  })

  test('is finished by closing; afterwards nothing is taken', async () => {
    const { partition } = setStage()
    const submitted = partition.submit([putOf('a')])
    await partition.close()
    expect((await submitted).revision).toBe(1)
    expect(await refusalCode(partition.submit([putOf('b')]))).toBe('STORAGE_UNAVAILABLE')
    expect(await refusalCode(Promise.resolve(partition.read(() => 1)))).toBe('STORAGE_UNAVAILABLE')
  })
})

describe('a value', () => {
  test('that a message could not carry twice is not kept', async () => {
    const { partition, endTurn } = setStage()
    // Three bytes each.
    const most = `"${'€'.repeat(Math.floor((limits.valueBytes - 2) / 3))}"`
    const kept = partition.submit([putOf('a', most)])
    const refused = partition.submit([putOf('b', `"€€${most.slice(1)}`)])
    const grown = partition.submit([
      updateOf('a', '1', { operations: [{ type: 'append', path: '', value: asJsonText('"€€"') }] }),
    ])
    endTurn()
    endTurn()
    endTurn()
    expect((await kept).revision).toBe(1)
    expect(await refusalCode(refused)).toBe('VALUE_TOO_LARGE')
    expect(await refusalCode(grown)).toBe('VALUE_TOO_LARGE')
    expect(await valueAt(partition, 'a')).toBe(most)
  })
})

describe('several commands', () => {
  test('are all done', async () => {
    const { partition, endTurn, committals } = setStage()
    const submitted = partition.submit([
      putOf('a', '1'),
      removalOf('a'),
      { command: 'tell', collection: scope('s'), key: undefined, type: 'x', data: asJsonText('2') },
      { command: 'publish', topic: 't', data: asJsonText('3') },
    ])
    endTurn()
    expect((await submitted).answers.map(({ oldValue }) => oldValue as string | undefined)).toEqual([
      undefined,
      '1',
      undefined,
      undefined,
    ])
    expect(committals[0]?.changes.map(({ event, revision }) => [event, revision])).toEqual([
      ['created', 1],
      ['deleted', 2],
      ['told', 3],
    ])
  })

  test('or none, when no answer could carry what they do', async () => {
    const { partition, endTurn } = setStage()
    const large = `"${'x'.repeat(limits.transactionCharacters / 4)}"`
    void partition.submit([putOf('a', large)])
    endTurn()
    const refused = partition.submit([putOf('b', '1'), putOf('a', '2'), putOf('a', large), putOf('a', large)])
    const fits = partition.submit([putOf('c', large), putOf('c', large)])
    endTurn()
    endTurn()
    expect(await refusalCode(refused)).toBe('TRANSACTION_TOO_LARGE')
    expect(await valueAt(partition, 'b')).toBeUndefined()
    expect(await valueAt(partition, 'a')).toBe(large)
    expect((await fits).answers).toHaveLength(2)
  })

  test('or none, when one of them is refused', async () => {
    const { partition, endTurn, committals } = setStage()
    const before = partition.submit([putOf('kept')])
    const refused = partition.submit([
      putOf('a'),
      putOf('kept', '2'),
      { command: 'publish', topic: 't', data: asJsonText('3') },
      putOf('b', '1', { ifVersion: 7 }),
    ])
    const after = partition.submit([putOf('c')])
    endTurn()
    expect(await refusalCode(refused)).toBe('VERSION_CONFLICT')
    expect([(await before).revision, (await after).revision]).toEqual([1, 2])
    expect([await valueAt(partition, 'a'), await valueAt(partition, 'kept')]).toEqual([undefined, '1'])
    expect(committals[0]).toMatchObject({ changes: [{ key: 'kept' }, { key: 'c' }], publications: [] })
  })
})

describe('versions', () => {
  test('are revisions: none comes twice, not even after a removal', async () => {
    const { partition, endTurn } = setStage()
    const submitted = [putOf('a'), removalOf('a'), putOf('a'), updateOf('a', '2')].map(command =>
      partition.submit([command]),
    )
    endTurn()
    const versions = (await Promise.all(submitted)).map(({ answers }) => answers[0]?.version)
    expect(versions).toEqual([1, 0, 3, 4])
  })

  test.each([
    ['put', putOf('a', '2', { ifVersion: 0 })],
    ['update', updateOf('a', '2', { ifVersion: 2 })],
    ['remove', removalOf('a', 2)],
  ])('that do not fit refuse a %s, and say which one there is', async (_, command) => {
    const { partition, endTurn, committals } = setStage()
    void partition.submit([putOf('a')])
    const refused = partition.submit([command])
    endTurn()
    const error = await refused.then(() => undefined, String)
    expect(error).toContain('it has version 1')
    expect(await refused.catch((refusal: StorageError) => refusal.details)).toEqual({ version: 1 })
    expect(committals[0]?.changes).toHaveLength(1)
  })

  test('that fit let a write through; 0 is a key without a value', async () => {
    const { partition, endTurn } = setStage()
    const first = partition.submit([putOf('a', '1', { ifVersion: 0 })])
    const second = partition.submit([updateOf('a', '2', { ifVersion: 1 })])
    const third = partition.submit([removalOf('a', 2)])
    endTurn()
    expect((await Promise.all([first, second, third])).map(({ revision }) => revision)).toEqual([1, 2, 3])
  })
})

describe('an update', () => {
  test('that makes the value too large is refused', async () => {
    const { partition, endTurn } = setStage()
    const refused = partition.submit([updateOf('a', '"äöü"', { maxValueBytes: 7 })])
    const fits = partition.submit([updateOf('b', '"äöü"', { maxValueBytes: 8 })])
    endTurn()
    expect(await refused.catch((error: StorageError) => [error.code, error.message])).toEqual([
      'VALUE_TOO_LARGE',
      'value of 8 bytes exceeds the configured max_value_bytes limit of 7',
    ])
    await fits
  })

  test('keeps the time at which the value expires, a put ends it', async () => {
    const { partition, endTurn, clock } = setStage()
    const expiresAtMs = Math.ceil(clock.now()) + 1000
    void partition.submit([putOf('a', '1', { expiresAtMs })])
    void partition.submit([updateOf('a', '2')])
    endTurn()
    expect(await partition.read(tables => tables.get(scope('s'), 'a')?.expiresAtMs)).toBe(expiresAtMs)
    void partition.submit([putOf('a', '3')])
    endTurn()
    expect(await partition.read(tables => tables.get(scope('s'), 'a')?.expiresAtMs)).toBeUndefined()
  })
})

describe('an entry whose time has passed', () => {
  test('is removed by itself, and told as expired', async () => {
    const { partition, endTurn, clock, committals } = setStage()
    for (const ms of [9000, 3000, 6000]) {
      void partition.submit([putOf(`in ${ms}`, '1', { expiresAtMs: clock.now() + ms })])
    }
    endTurn()
    const gone = (): unknown[] => committals.slice(1).flatMap(({ changes }) => changes.map(({ key }) => key))
    clock.advance(3001)
    endTurn()
    expect(gone()).toEqual(['in 3000'])
    expect(committals[1]?.changes[0]).toMatchObject({ event: 'deleted', reason: 'expired', revision: 4 })
    clock.advance(10_000)
    endTurn()
    expect(gone()).toEqual(['in 3000', 'in 6000', 'in 9000'])
    expect(clock.pending()).toBe(0)
  })

  test('counts as missing before that, and its end is told first', async () => {
    let wallMs = 1_000_000
    const { partition, endTurn, committals } = setStage({ wallClock: () => wallMs })
    void partition.submit([putOf('a', '"old"', { expiresAtMs: wallMs + 10 })])
    endTurn()
    wallMs += 10
    const conflict = partition.submit([putOf('a', '2', { ifVersion: 1 })])
    const written = partition.submit([putOf('a', '"new"', { ifVersion: 0 })])
    endTurn()
    expect(await refusalCode(conflict)).toBe('VERSION_CONFLICT')
    expect((await written).answers[0]?.oldValue).toBeUndefined()
    expect(committals[1]?.changes.map(({ event, reason, key }) => [event, reason, key])).toEqual([
      ['deleted', 'expired', 'a'],
      ['created', undefined, 'a'],
    ])
  })

  test('is noticed when the clock of the machine is set forward', () => {
    let wallMs = 1_000_000
    const { partition, endTurn, clock, committals } = setStage({ wallClock: () => wallMs })
    void partition.submit([putOf('a', '1', { expiresAtMs: wallMs + 86_400_000 })])
    endTurn()
    clock.advance(60_000)
    expect(committals).toHaveLength(1)
    wallMs += 86_400_000
    clock.advance(60_000)
    endTurn()
    expect(committals).toHaveLength(2)
  })
})

describe('a command that fails in a way nobody has thought of', () => {
  test('is refused alone; the rest of its turn is kept', async () => {
    const store = createMemoryStore()
    const tables = {
      ...store.tables,
      put(...[collection, entry]: Parameters<typeof store.tables.put>): void {
        store.tables.put(collection, entry)
        if (entry.key === 'bad') throw new TypeError('bad')
      },
    }
    const { partition, endTurn } = setStage({ store: { ...store, tables } })
    const first = partition.submit([putOf('a')])
    const bad = partition.submit([putOf('bad')])
    const last = partition.submit([putOf('b')])
    endTurn()
    expect(await refusalCode(bad)).toContain('TypeError')
    expect([(await first).revision, (await last).revision]).toEqual([1, 2])
    expect(await valueAt(partition, 'bad')).toBeUndefined()
  })
})
