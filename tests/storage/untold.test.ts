import { describe, expect, test } from 'bun:test'
import { createMemoryStore } from '../../src/storage/memory/store.ts'
import { StorageFault, type Store } from '../../src/storage/store.ts'
import { createRandom } from '../support/random.ts'
import { putOf, refusalCode, scope, setStage } from './stage.ts'

interface SlowDisk {
  readonly store: Store
  /** How many syncs were asked for. */
  begun(): number
  isSyncing(): boolean
  /** The sync that is under way ends; everybody who hears of it has. */
  ends(fault?: StorageFault): Promise<void>
}

const fault = (): StorageFault => new StorageFault('broken', 'the disk reports an error')
const settled = (): Promise<void> => new Promise(resolve => void setImmediate(resolve))

function createSlowDisk(): SlowDisk {
  let syncing: PromiseWithResolvers<void> | undefined
  let begun = 0
  const inner = createMemoryStore()
  return {
    store: {
      ...inner,
      commit(revision, changes) {
        inner.commit(revision, changes)
        return true
      },
      sync() {
        if (syncing !== undefined) throw new Error('two syncs at a time')
        begun++
        syncing = Promise.withResolvers<void>()
        return syncing.promise
      },
    },
    begun: () => begun,
    isSyncing: () => syncing !== undefined,
    async ends(fault) {
      const ending = syncing!
      syncing = undefined
      if (fault === undefined) ending.resolve()
      else ending.reject(fault)
      await settled()
    },
  }
}

function setSlowStage() {
  const disk = createSlowDisk()
  const stage = setStage({ store: disk.store })
  const heard: string[] = []
  stage.partition.follow(({ changes }) => void heard.push(...changes.map(({ key }) => `told ${key}`)))
  const put = (key: string): void =>
    void stage.partition.submit([putOf(key)]).then(
      () => heard.push(`put ${key}`),
      error => heard.push(`${error.code} ${key}`),
    )
  function read(key: string): void {
    const found = stage.partition.read(tables => tables.get(scope('s'), key) !== undefined)
    const hear = (is: boolean): void => void heard.push(`${key} is ${is ? 'there' : 'not there'}`)
    if (found instanceof Promise) found.then(hear, error => void heard.push(`${error.code} ${key}`))
    else hear(found)
  }
  return { ...stage, disk, heard, put, read }
}

describe('while a sync is under way', () => {
  test('the next turns are committed, share the next sync, and are told in order', async () => {
    const { put, endTurn, disk, heard } = setSlowStage()
    put('a')
    endTurn()
    put('b')
    endTurn()
    put('c')
    endTurn()
    await settled()
    expect([heard, disk.begun()]).toEqual([[], 1])
    await disk.ends()
    expect([heard, disk.begun()]).toEqual([['told a', 'put a'], 2])
    await disk.ends()
    expect(heard.slice(2)).toEqual(['told b', 'told c', 'put b', 'put c'])
    expect([disk.begun(), disk.isSyncing()]).toEqual([2, false])
  })

  test('what is read sees what is committed, and is told behind it', async () => {
    const { put, read, endTurn, disk, heard } = setSlowStage()
    put('a')
    endTurn()
    read('a')
    put('b')
    read('b')
    endTurn()
    await settled()
    expect(heard).toEqual([])
    await disk.ends()
    expect(heard).toEqual(['told a', 'put a', 'a is there'])
    await disk.ends()
    expect(heard.slice(3)).toEqual(['told b', 'put b', 'b is there'])
    read('b')
    expect(heard.slice(6)).toEqual(['b is there'])
  })

  test('a refusal waits for what it follows from', async () => {
    const { partition, put, endTurn, disk } = setSlowStage()
    put('a')
    endTurn()
    let code = 'nothing yet'
    const refused = refusalCode(partition.submit([putOf('a', '2', { ifVersion: 0 })]))
    void refused.then(found => {
      code = found
    })
    endTurn()
    await settled()
    expect(code).toBe('nothing yet')
    await disk.ends()
    expect(code).toBe('VERSION_CONFLICT')
  })

  test('and fails, everything that waits is refused, and what it has touched is not read', async () => {
    const { partition, put, read, endTurn, disk, heard } = setSlowStage()
    put('old')
    endTurn()
    await disk.ends()
    heard.length = 0
    put('a')
    endTurn()
    put('b')
    endTurn()
    read('b')
    read('old')
    await disk.ends(fault())
    expect(heard.toSorted()).toEqual([
      'STORAGE_UNAVAILABLE a',
      'STORAGE_UNAVAILABLE b',
      'STORAGE_UNAVAILABLE b',
      'old is there',
    ])
    expect(partition.status()).toMatchObject({ health: 'degraded', revision: 1 })
  })

  test('the partition closes when it is done', async () => {
    const { partition, put, endTurn, disk, heard } = setSlowStage()
    put('a')
    endTurn()
    const closed = partition.close().then(() => void heard.push('closed'))
    await settled()
    expect(heard).toEqual([])
    await disk.ends()
    await closed
    expect(heard).toEqual(['told a', 'put a', 'closed'])
  })

  test('a disk that has failed is not tried again before', async () => {
    const { clock, put, endTurn, disk, partition, store } = setSlowStage()
    put('a')
    endTurn()
    let recoveries = 0
    Object.assign(store, {
      commit() {
        throw fault()
      },
      recover() {
        recoveries++
      },
    })
    put('b')
    endTurn()
    clock.advance(10_000)
    await settled()
    expect([recoveries, partition.status().health]).toEqual([0, 'degraded'])
    await disk.ends()
    expect([recoveries, partition.status().health]).toEqual([1, 'ok'])
  })
})

test('whatever happens meanwhile: nothing is told before it is on disk, and nobody is left waiting', async () => {
  const { between, seed } = createRandom()
  for (let run = 0; run < 200; run++) {
    const { put, read, endTurn, disk, heard } = setSlowStage()
    let asked = 0
    let committed = 0
    let covered = 0
    let onDisk = 0
    for (let step = 0; step < 40; step++) {
      const dice = between(0, 10)
      const begun = disk.begun()
      if (dice < 4) put(`${asked++}`)
      else if (dice < 5) read('0')
      else if (dice < 8) {
        endTurn()
        committed = asked
      } else if (disk.isSyncing()) {
        onDisk = covered
        await disk.ends()
      }
      // It covers what was committed when it began.
      if (disk.begun() > begun) covered = committed
      await settled()
      const told = heard.filter(text => text.startsWith('put')).length
      if (told > onDisk) throw new Error(`seed ${seed}, run ${run}: ${told} told, ${onDisk} on disk`)
    }
    endTurn()
    await settled()
    while (disk.isSyncing()) await disk.ends()
    const puts = heard.filter(text => text.startsWith('put'))
    expect(puts).toEqual(Array.from({ length: asked }, (_, number) => `put ${number}`))
  }
})
