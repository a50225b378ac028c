/**
 * Starts everything the settings name: the main thread, which always holds the directory, and the threads of the layout
 * (`layout.ts`). Whoever has no other thread has everything on the main one.
 *
 *     durable thread ──▶ sockets: on the main thread, or shard after shard, the acceptor last
 *
 * So who connects finds everything there. All threads load their code at the same time, the main one too: what this file
 * imports is only what is needed to begin the others.
 */
import { systemClock } from '../clock/clock.ts'
import type { Settings } from '../config/settings.ts'
import type { Log } from '../log/log.ts'
import { type Layout, layoutOf } from './layout.ts'
import type { RunningEngine } from './mainThread.ts'
import { loadParts, partsOn } from './parts.ts'
import type { Pool } from './pool.ts'
import type { Shards } from './shards.ts'
import type { Thread } from './thread.ts'

export type { RunningEngine }

export interface StartOptions {
  readonly log: Log
  /** Threads that load their code already. */
  readonly pool?: Pool | undefined
}

/** When one part cannot start, the others are stopped and the error is thrown. */
export async function startEngine(
  settings: Settings,
  { log, pool: begun }: StartOptions,
): Promise<RunningEngine> {
  const layout = layoutOf(settings)
  const count = layout.posts.length
  const pool = begun ?? (count === 0 ? undefined : (await import('./pool.ts')).createPool(count))
  loadParts('main', settings)
  if (layout.mainServes) loadParts('shards', settings)
  const [{ createMainEngine, placeAlways }, { createThread, createThreadTurn }, shards] = await Promise.all([
    import('./mainThread.ts'),
    import('./thread.ts'),
    pool === undefined ? undefined : import('./shards.ts'),
  ])
  const turn = createThreadTurn(log)
  const others = pool && shards?.createShards({ settings, layout, pool, log, turn })
  const engine = createMainEngine(settings, log, {
    lasting: layout.durable,
    ...(others === undefined ? {} : { elsewhere: others.elsewhere }),
  })
  const thread = createThread(engine, turn, log)

  async function stop(): Promise<void> {
    others?.retire()
    engine.state.stopping = true
    await others?.end()
    await thread.stop()
    await others?.free()
  }

  try {
    if (!layout.mainServes) await (await import('./ports.ts')).claimPorts(settings)
    others?.begin(engine)
    const { nameOf, durable } = layout
    // The number of a process is that of its first thread.
    const alone = { threadId: process.pid, links: new Map(), resyncs: 0 }
    const own = others?.own ?? (() => alone)
    await placeAlways(thread, engine, log, { ...settings, nameOf, own, peers: others?.peers })
    for (const { part, instance, config } of partsOn('main', settings)) {
      await thread.place(await part.create(config, { clock: systemClock, log }), instance)
    }
    if (durable !== undefined) await others?.serve(durable)
    if (layout.mainServes) await serveHere(thread, settings, log)
    for (const { place } of layout.posts) if (place !== durable) await others?.serve(place)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    addresses: { ...thread.addresses(), ...others?.addresses() },
    failed: others?.failed ?? new Promise(() => {}),
    drain: others === undefined ? thread.drain : ms => drainAll(thread, others, layout, ms),
    stop,
  }
}

/** Gateways and listeners on the main thread. */
async function serveHere(thread: Thread, settings: Settings, log: Log): Promise<void> {
  for (const { part, instance, config } of partsOn('shards', settings)) {
    const { insecure } = settings
    const worker = await part.create(config, { clock: systemClock, log, reusePort: false, insecure })
    await thread.place(worker, instance)
  }
  // The workers' port opens last: who connects finds everything there.
  for (const listener of settings.listeners) {
    thread.listen(listener, { insecure: settings.insecure, reusePort: false })
  }
}

/**
 * First the threads with sockets: what they still execute may ask the durable thread. Then that one; what it tells at its
 * end leaves through the others, and theirs through the acceptor.
 */
async function drainAll(thread: Thread, others: Shards, layout: Layout, ms: number): Promise<void> {
  const until = systemClock.now() + ms
  const left = (): number => Math.max(0, until - systemClock.now())
  const { posts, durable, acceptor, mainServes } = layout
  const shards = posts.filter(({ place }) => place !== durable)
  others.retire()
  await others.drain(shards, ms)
  if (durable !== undefined) {
    if (mainServes) await thread.drain(left())
    await others.drain(
      posts.filter(({ place }) => place === durable),
      left(),
    )
    await others.drain(shards, left())
  }
  // What they have sent last may still be on its way to the sockets, which the acceptor has.
  await others.drain(
    posts.filter(({ place }) => place === acceptor),
    left(),
  )
  await thread.drain(left())
}
