/** A real engine whose shards can be attacked. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { limits } from '../../../src/protocol/limits.ts'
import { type EngineProcess, startEngine } from '../../support/engineProcess.ts'
import { connectRaw, type RawClient, type RawOptions } from '../../support/rawClient.ts'
import { acceptor } from '../../support/shape.ts'
import { until } from '../../support/waiting.ts'

/** What can happen to a shard; see `shard.ts`. */
export type Attack = 'throw' | 'reject' | 'exit' | 'loop' | 'allocate' | 'busy'

export interface AttackedEngine extends EngineProcess {
  /** Resolves when the shard has heard of it. Rejects when there is no such shard at the moment. */
  attack(place: number, attack: Attack): Promise<void>
  /** Whether there is such a shard at the moment; it may still be starting. */
  isThere(place: number): Promise<boolean>
  /** A client whose connection is on this shard. */
  connectOn(place: number, options?: RawOptions): Promise<RawClient>
  /** Times that a shard or the durable thread was lost, also while it started. */
  losses(): number
}

export async function startAttackedEngine(
  shards: number,
  changed: Partial<Record<keyof typeof limits, number>> = {},
  { workers = '', accepting = acceptor }: { workers?: string; accepting?: string } = {},
): Promise<AttackedEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'iii-attack-'))
  const engine = await startEngine({
    shape: ['--shards', String(shards), '--acceptor', accepting],
    workers,
    preload: join(import.meta.dir, 'preload.ts'),
    env: { III_ATTACKS: folder, III_ATTACK_LIMITS: JSON.stringify(changed) },
  })
  async function ask(place: number, attack: string): Promise<void> {
    await (await fetch(`http://shard/${attack}`, { unix: join(folder, String(place)) })).text()
  }

  return {
    ...engine,
    attack: ask,
    isThere: place =>
      ask(place, 'nothing').then(
        () => true,
        () => false,
      ),
    async connectOn(place, options = {}) {
      const strangers: RawClient[] = []
      try {
        return await until(`a connection on shard ${place}`, async () => {
          const client = await connectRaw(engine.url, options)
          const { result } = await client.call('engine::workers::info', { id: client.workerId })
          if ((result as { worker?: { thread?: number } } | undefined)?.worker?.thread === place)
            return client
          strangers.push(client)
          // A name belongs to one worker at a time.
          if (options.name !== undefined) await strangers.pop()!.close()
          return undefined
        })
      } finally {
        await Promise.all(strangers.map(stranger => stranger.close()))
      }
    },
    losses: () =>
      [...engine.log().matchAll(/(a shard|the durable thread) (is lost|could not be replaced)/g)].length,
    async [Symbol.asyncDispose]() {
      await engine[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
