/** `engine::status` (`docs/discovery.md#the-engine`). */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { tableBelow } from '../../house/pageParts.ts'
import { createDiscovery } from './support.ts'

const STATUS = 'engine::status'

interface Status {
  readonly [member: string]: unknown
  readonly threads: readonly Record<string, unknown>[]
}

/** Names in the first column, without the mark of what may be absent. */
const namesIn = (rows: readonly (readonly string[])[]): string[] =>
  rows.flatMap(([cell]) => [...cell!.matchAll(/`(\w+)\??`/g)].map(match => match[1]!))

describe('the status of the engine', async () => {
  const page = await Bun.file(join(import.meta.dir, '../../../docs/discovery.md')).text()

  test('is that of one thread where there are no shards', async () => {
    const world = await createDiscovery()
    world.join({ pid: 1 })
    world.clock.advance(2500)
    const { result } = await world.ask<Status>(STATUS)
    expect(result).toMatchObject({
      pid: process.pid,
      mode: 'one thread',
      uptime_ms: 2500,
      draining: false,
      restarts: 0,
      dropped: { lost_voids: 0, slow_readers: 0 },
    })
    expect(result.threads).toMatchObject([{ name: 'main', state: 'serving', rings: [] }])
  })

  test('has the members that its page names, and no others', async () => {
    const world = await createDiscovery()
    const { result } = await world.ask<Status>(STATUS)
    expect(Object.keys(result).sort()).toEqual(namesIn(tableBelow(page, '## The engine')).sort())
    const ofThread = namesIn(tableBelow(page, 'Of a thread:'))
    // This world is on no thread that an operating system would know.
    const { cpu_seconds, cpu_share, ...thread } = { cpu_seconds: 0, cpu_share: 0, ...result.threads[0] }
    expect(['cpu_seconds', 'cpu_share', ...Object.keys(thread)].sort()).toEqual(ofThread.sort())
  })
})
