/** Which threads there are for which settings, and which partitions are opened on the durable one. */
import { describe, expect, test } from 'bun:test'
import type { Settings } from '../../src/config/settings.ts'
import type { Partition } from '../../src/storage/partition.ts'
import { layoutOf } from '../../src/threads/layout.ts'
import { createPartitions } from '../../src/threads/partitions.ts'
import { createRingPairs } from '../../src/threads/ringPairs.ts'
import { stateConfigSchema } from '../../workers/state/config.ts'

const state = { name: 'iii-state', instance: 'iii-state', config: stateConfigSchema.parse({}) }

function settings(shards: number, acceptor: Settings['acceptor'], keeps: boolean): Settings {
  return {
    namespaceGraceMs: 0,
    listeners: [],
    shards,
    acceptor,
    workers: keeps ? [state] : [],
    warnings: [],
    file: undefined,
    insecure: false,
    data: { folder: '/data', base: '/' },
  }
}

describe('the layout', () => {
  test.each<[shards: number, acceptor: Settings['acceptor'], keeps: boolean, names: string[]]>([
    [0, 'kernel', false, []],
    [0, 'thread', false, []],
    [0, 'kernel', true, ['durable']],
    [2, 'kernel', false, ['shard 1', 'shard 2']],
    [2, 'kernel', true, ['shard 1', 'shard 2', 'durable']],
    [1, 'thread', true, ['shard 1', 'acceptor', 'durable']],
  ])('of %i shards, accepted by the %s, keeping: %p', (shards, acceptor, keeps, names) => {
    const layout = layoutOf(settings(shards, acceptor, keeps))
    expect(layout.posts.map(({ name }) => name)).toEqual(names)
    expect(layout.posts.map(({ place }) => place)).toEqual(names.map((_, index) => index + 1))
    expect([0, ...layout.posts.map(({ place }) => place)].map(layout.nameOf)).toEqual(['main', ...names])
    expect(layout.mainServes).toBe(shards === 0)
    expect(layout.durable).toBe(keeps ? names.length : undefined)
    // Each has a ring to each other one, and back.
    const rings = createRingPairs(layout)
    for (const { place: one } of layout.posts) {
      for (const { place: other } of layout.posts.filter(({ place }) => place !== one)) {
        expect(rings.get(one)!.get(other)!.outgoing).toBe(rings.get(other)!.get(one)!.incoming)
      }
    }
  })
})

describe('partitions', () => {
  function setUp(refused: string[] = []) {
    const [opened, closed]: [string[], string[]] = [[], []]
    const open = (name: string): Partition => {
      opened.push(name)
      if (refused.includes(name)) throw new Error(`${name} is refused`)
      return { close: async () => void closed.push(name) } as Partial<Partition> as Partition
    }
    const parts = { dataFolder: '/project/data', base: '/project' }
    const partitions = createPartitions({ ...parts, onDisk: open, inMemory: () => open('memory') })
    return { partitions, opened, closed }
  }
  const onDisk = (folder?: string) => ({ adapter: 'sqlite', folder }) as const

  test('are opened when they are asked for, one for each folder, and closed together', async () => {
    const { partitions, opened, closed } = setUp()
    expect(opened).toEqual([])
    const first = await partitions.open(onDisk())
    expect(await partitions.open(onDisk('./data'))).toBe(first)
    await partitions.open({ adapter: 'memory' })
    await partitions.open(onDisk('/elsewhere'))
    expect(opened).toEqual(['/project/data', 'memory', '/elsewhere'])
    expect([...partitions.folders().keys()]).toEqual(['/project/data', '/elsewhere'])
    await partitions.close()
    expect(closed).toEqual(opened)
  })

  test('that cannot be opened say so, and do not keep the others from being closed', async () => {
    const { partitions, closed } = setUp(['/elsewhere'])
    await partitions.open(onDisk())
    expect(partitions.open(onDisk('/elsewhere'))).rejects.toThrow('/elsewhere is refused')
    await partitions.close()
    expect(closed).toEqual(['/project/data'])
  })
})
