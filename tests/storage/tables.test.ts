/** What tables promise, over each way to keep them. */
import { describe, expect, test } from 'bun:test'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import type { EntryChange } from '../../src/storage/change.ts'
import type { Collection } from '../../src/storage/command.ts'
import type { Store } from '../../src/storage/store.ts'
import type { Entry } from '../../src/storage/tables.ts'
import { createRandom } from '../support/random.ts'
import { stores } from './stores.ts'

const at = (name: string, group = ''): Collection => ({ space: 'stream', name, group })

const entryOf = (key: string, createdAt: number, more: Partial<Entry> = {}): Entry => ({
  key,
  value: asJsonText(`"${createdAt}"`),
  version: createdAt,
  createdAt,
  updatedAtMs: 1_767_225_600_000 + createdAt,
  expiresAtMs: undefined,
  ...more,
})

const neverDamaged = (damage: Error): never => {
  throw damage
}

const told = (revision: number): EntryChange => ({
  revision,
  atMs: 1_767_225_600_000,
  ...at('log'),
  key: undefined,
  event: 'told',
  reason: undefined,
  oldValue: undefined,
  newValue: asJsonText('1'),
  type: 'x',
})

/** What a put is told as, or (without a value) a removal. */
const changeOf = (
  collection: Collection,
  { key, version, updatedAtMs, expiresAtMs }: Entry,
  event: EntryChange['event'],
  newValue?: Entry['value'],
): EntryChange => ({
  ...told(version),
  ...collection,
  key,
  event,
  atMs: updatedAtMs,
  newValue,
  type: undefined,
  expiresAtMs,
})

/** Does something in a transaction. What is told of it matters only to what is done again after a rollback. */
function inTransaction(store: Store, work: () => void, change?: EntryChange): void {
  store.begin(true)
  work()
  const revision = store.revision() + 1
  store.commit(revision, [change ?? told(revision)])
}

const everything = { prefix: undefined, after: undefined, limit: 100_000 }
const keys = (store: Store, collection: Collection, query = everything): string[] =>
  store.tables.list(collection, query).map(({ key }) => key)

/** Names that databases and languages like to get wrong. */
const AWKWARD = [
  '',
  '\0',
  'a\0b',
  'a',
  'a ',
  'A',
  'ä',
  'ab',
  "'",
  '"',
  '%_',
  '\\',
  '__proto__',
  'constructor',
  '\u{10fffe}',
  '\u{10fffe}.',
  '\u{10ffff}',
  '\ud800',
  'x\udfffy',
  '\udc00\ud800',
  '😀',
  '\uffff',
  '\ue000',
  '1',
  '01',
]

describe.each([...stores])('tables in %s', (_, open) => {
  test('give back what was put, whole', async () => {
    await using opened = open()
    const { store } = opened
    const entry = entryOf('k', 7, {
      version: 9,
      expiresAtMs: 1_800_000_000_000,
      value: asJsonText('{"n":9007199254740993}'),
    })
    inTransaction(store, () => store.tables.put(at('a'), entry))
    expect(store.tables.get(at('a'), 'k')).toEqual(entry)
    expect(store.tables.get(at('a'), 'other')).toBeUndefined()
    expect(store.tables.get(at('b'), 'k')).toBeUndefined()
    expect(store.tables.get({ ...at('a'), space: 'state' }, 'k')).toBeUndefined()
  })

  test('say how much is in a collection, in bytes', async () => {
    await using opened = open()
    const { store } = opened
    const sizeOf = (name: string) => store.tables.sizeOf(at(name))
    inTransaction(store, () => {
      store.tables.put(at('a'), entryOf('k', 1, { value: asJsonText('"ä"') }))
      store.tables.put(at('a'), entryOf('l', 2, { value: asJsonText('12') }))
      store.tables.put(at('b'), entryOf('k', 3, { value: asJsonText('1') }))
    })
    expect([sizeOf('a'), sizeOf('b'), sizeOf('c')]).toEqual([
      { entries: 2, bytes: 6 },
      { entries: 1, bytes: 1 },
      { entries: 0, bytes: 0 },
    ])
    inTransaction(store, () => store.tables.remove(at('a'), 'k'))
    expect(sizeOf('a')).toEqual({ entries: 1, bytes: 2 })
  })

  test('take any string as a name, a group and a key, and keep them apart', async () => {
    await using opened = open()
    const { store } = opened
    let revision = 0
    inTransaction(store, () => {
      for (const text of AWKWARD) {
        store.tables.put(at('keys'), entryOf(text, ++revision))
        store.tables.put(at(text, 'of names'), entryOf('k', ++revision))
        store.tables.put(at('groups', text), entryOf('k', ++revision))
      }
    })
    for (const text of AWKWARD) {
      expect(store.tables.get(at('keys'), text)?.key).toBe(text)
      expect(store.tables.get(at(text, 'of names'), 'k')).toBeDefined()
      expect(store.tables.get(at('groups', text), 'k')).toBeDefined()
    }
    expect(keys(store, at('keys'))).toEqual(AWKWARD)
    expect(store.tables.names('stream', everything).toSorted()).toEqual(
      [...AWKWARD, 'groups', 'keys'].toSorted(),
    )
    expect(store.tables.groups('stream', 'groups', everything).toSorted()).toEqual(AWKWARD.toSorted())
  })

  test('order keys and names by code points', async () => {
    await using opened = open()
    const { store } = opened
    const texts = ['b', '😀', '\uffee', 'a', 'Z', '', 'ab', 'a\0', '\u{10ffff}']
    const ordered = ['', 'Z', 'a', 'a\0', 'ab', 'b', '\uffee', '😀', '\u{10ffff}']
    let revision = 0
    inTransaction(store, () => {
      for (const text of texts) {
        store.tables.put(at('keys'), entryOf(text, ++revision))
        store.tables.put(at(text, text), entryOf('k', ++revision))
      }
    })
    expect(keys(store, at('keys'), { ...everything, prefix: '' } as never)).toEqual(ordered)
    expect(store.tables.names('stream', everything).filter(name => name !== 'keys')).toEqual(ordered)
  })

  test('list in the order of creation, whatever was changed since', async () => {
    await using opened = open()
    const { store } = opened
    inTransaction(store, () => {
      for (const [place, key] of ['c', 'a', 'd', 'b'].entries())
        store.tables.put(at('s'), entryOf(key, place + 1))
    })
    inTransaction(store, () => {
      store.tables.put(at('s'), entryOf('a', 2, { version: 6 }))
      store.tables.remove(at('s'), 'c')
      store.tables.put(at('s'), entryOf('c', 7))
      store.tables.remove(at('s'), 'missing')
    })
    expect(keys(store, at('s'))).toEqual(['a', 'd', 'b', 'c'])
  })

  test('list page by page, also when the last entry of a page is gone', async () => {
    await using opened = open()
    const { store } = opened
    const all = Array.from({ length: 1500 }, (_, number) => `k${number}`)
    inTransaction(store, () =>
      all.forEach((key, number) => void store.tables.put(at('s'), entryOf(key, number + 1))),
    )
    const listed: string[] = []
    let after: { key: string; createdAt: number } | undefined
    while (true) {
      const page = store.tables.list(at('s'), { prefix: undefined, after, limit: 400 })
      if (page.length === 0) break
      listed.push(...page.map(({ key }) => key))
      after = page.at(-1)
      inTransaction(store, () => store.tables.remove(at('s'), after!.key))
    }
    expect(listed).toEqual(all)
    expect(keys(store, at('s'))).toHaveLength(1496)
  })

  test('list keys with a prefix in their order, page by page', async () => {
    await using opened = open()
    const { store } = opened
    inTransaction(store, () => {
      for (const [place, key] of ['user:2', 'use', 'user:1', 'user:', 'user:10', 'usfr', 'ä'].entries()) {
        store.tables.put(at('s'), entryOf(key, place + 1))
      }
    })
    const page = (after: string | undefined, limit: number): string[] =>
      store.tables
        .list(at('s'), {
          prefix: 'user:',
          after: after === undefined ? undefined : { key: after, createdAt: 0 },
          limit,
        })
        .map(({ key }) => key)
    expect(page(undefined, 10)).toEqual(['user:', 'user:1', 'user:10', 'user:2'])
    expect(page(undefined, 2)).toEqual(['user:', 'user:1'])
    expect(page('user:1', 2)).toEqual(['user:10', 'user:2'])
    expect([page('user:2', 2), page('zzz', 2)]).toEqual([[], []])
    expect(page('a', 2)).toEqual(['user:', 'user:1'])
    expect(page(undefined, 0)).toEqual([])
  })

  test('know names and groups that have ever held something, page by page', async () => {
    await using opened = open()
    const { store } = opened
    inTransaction(store, () => {
      for (const [place, group] of ['g3', 'g1', 'g2'].entries())
        store.tables.put(at('chat', group), entryOf('k', place + 1))
      store.tables.put(at('empty', 'g'), entryOf('k', 8))
      store.tables.remove(at('empty', 'g'), 'k')
      store.tables.put({ space: 'state', name: 'scope', group: '' }, entryOf('k', 9))
      store.tables.remove(at('chat', 'g1'), 'k')
    })
    const { tables } = store
    expect(tables.names('stream', everything)).toEqual(['chat', 'empty'])
    expect(tables.names('state', everything)).toEqual(['scope'])
    expect(tables.names('stream', { prefix: 'c', after: undefined, limit: 9 })).toEqual(['chat'])
    expect(tables.names('stream', { prefix: undefined, after: 'chat', limit: 9 })).toEqual(['empty'])
    expect(tables.groups('stream', 'chat', everything)).toEqual(['g1', 'g2', 'g3'])
    expect(tables.groups('stream', 'chat', { prefix: 'g', after: 'g1', limit: 1 })).toEqual(['g2'])
    expect(tables.groups('stream', 'unknown', everything)).toEqual([])
    expect(tables.groups('stream', 'chat', { prefix: 'h', after: 'a', limit: 1 })).toEqual([])
  })

  test('tell what has expired, first what expired first', async () => {
    await using opened = open()
    const { store } = opened
    inTransaction(store, () => {
      for (const [place, expiresAtMs] of [50, 20, undefined, 20, 10].entries()) {
        store.tables.put(at('s', `${place}`), entryOf(`k${place}`, place + 1, { expiresAtMs }))
      }
    })
    const { tables } = store
    expect(tables.nextExpiryMs()).toBe(10)
    expect(tables.expired(9, 10, neverDamaged)).toEqual([])
    expect(
      tables.expired(20, 10, neverDamaged).map(({ entry, collection }) => [entry.key, collection.group]),
    ).toEqual([
      ['k4', '4'],
      ['k1', '1'],
      ['k3', '3'],
    ])
    expect(tables.expired(99, 2, neverDamaged)).toHaveLength(2)
    inTransaction(store, () => {
      tables.put(at('s', '4'), entryOf('k4', 5, { version: 9 }))
      tables.remove(at('s', '1'), 'k1')
    })
    expect(tables.expired(20, 10, neverDamaged).map(({ entry }) => entry.key)).toEqual(['k3'])
  })

  test('have nothing of a transaction that was rolled back, nor of its collections', async () => {
    await using opened = open()
    const { store } = opened
    const kept = entryOf('kept', 1)
    inTransaction(
      store,
      () => store.tables.put(at('s'), kept),
      changeOf(at('s'), kept, 'created', kept.value),
    )
    store.begin(true)
    store.tables.put(at('s'), entryOf('kept', 1, { version: 2, value: asJsonText('2') }))
    store.tables.put(at('new', 'g'), entryOf('k', 3))
    store.tables.remove(at('s'), 'kept')
    store.rollback()
    expect(store.tables.get(at('s'), 'kept')?.version).toBe(1)
    expect(store.tables.names('stream', everything)).toEqual(['s'])
    inTransaction(store, () => store.tables.put(at('new', 'g'), entryOf('k', 3)))
    expect(store.tables.get(at('new', 'g'), 'k')?.version).toBe(3)
    expect(store.tables.groups('stream', 'new', everything)).toEqual(['g'])
  })

  test('go back to a savepoint without what came before it', async () => {
    await using opened = open()
    const { store } = opened
    inTransaction(store, () => {
      store.tables.put(at('s'), entryOf('before', 1))
      store.savepoint()
      store.tables.put(at('s'), entryOf('within', 2))
      store.tables.put(at('t'), entryOf('within', 3))
      store.rollbackToSavepoint()
      store.savepoint()
      store.tables.put(at('t'), entryOf('after', 2))
      store.release()
    })
    expect([keys(store, at('s')), keys(store, at('t'))]).toEqual([['before'], ['after']])
  })
})

test('tables in memory and in SQLite answer alike, whatever is done', async () => {
  const random = createRandom()
  const opened = stores.map(([, open]) => open())
  const text = (): string => AWKWARD[random.between(0, AWKWARD.length)]!
  let revision = 0
  for (let step = 0; step < 400; step++) {
    const collection = at(text(), text().slice(0, 1))
    const key = text()
    const expiresAtMs = random.between(0, 3) === 0 ? random.between(1, 100) : undefined
    const action = random.between(0, 10)
    const fate = random.between(0, 5)
    revision++
    for (const { store } of opened) {
      store.begin(false)
      const old = store.tables.get(collection, key)
      const entry = entryOf(key, old?.createdAt ?? revision, { version: revision, expiresAtMs })
      if (action < 7) store.tables.put(collection, entry)
      else store.tables.remove(collection, key)
      const done =
        action < 7
          ? changeOf(collection, entry, old === undefined ? 'created' : 'updated', entry.value)
          : changeOf(collection, entry, 'deleted')
      if (fate === 0) store.rollback()
      else store.commit(revision, [done])
    }
    const query = {
      prefix: random.between(0, 2) === 0 ? text().slice(0, 1) : undefined,
      after: random.between(0, 2) === 0 ? { key: text(), createdAt: random.between(0, revision) } : undefined,
      limit: random.between(0, 6),
    }
    const names = { ...query, after: query.after?.key }
    const answers = opened.map(({ store: { tables } }) => [
      tables.get(collection, key),
      tables.list(collection, query),
      tables.names('stream', names),
      tables.groups('stream', collection.name, names),
      tables.expired(random.seed % 100, 5, neverDamaged),
      tables.nextExpiryMs(),
    ])
    if (!Bun.deepEquals(answers[0], answers[1])) {
      throw new Error(
        `III_TEST_SEED=${random.seed}, step ${step}: ${JSON.stringify({ query, answers })} differ`,
      )
    }
  }
  for (const each of opened) await each[Symbol.asyncDispose]()
})
