/**
 * A thread of the pool, for as long as the engine runs: a shard with listeners and gateways of its own, the acceptor, or the
 * durable thread. It knows by its copy of the routes where each call goes: to a worker of its own, or through a ring to
 * another thread.
 */

import type { WorkerClient } from '../../sdk/typescript/src/worker.ts'
import type { FolderHealth } from '../../workers/engine-functions/catalogue.ts'
import { systemClock } from '../clock/clock.ts'
import type { Settings } from '../config/settings.ts'
import { createThreadEngine } from '../engine/engine.ts'
import { MAIN } from '../engine/registry.ts'
import type { Place } from '../engine/routes.ts'
import type { Log } from '../log/log.ts'
import { createSocketHandlers } from '../server/sockets.ts'
import { accountOf, type ThreadAccount } from './account.ts'
import type { DurableThread } from './durable.ts'
import { startHeartbeat } from './heartbeat.ts'
import { asLastAct } from './lastAct.ts'
import { ledgerWriter } from './ledger.ts'
import { createMemberRegistry } from './memberRegistry.ts'
import { nameThread } from './osThread.ts'
import { loadParts, partsOn } from './parts.ts'
import { createRelay, type Relay } from './relay.ts'
import { createRemoteLog } from './remoteLog.ts'
import { createRingLink, type RingLink } from './ringLink.ts'
import type { FromShard, RingPair, ShardPorts, ShardTask, ToShard } from './shardTask.ts'
import { createStandins } from './standins.ts'
import { createThread, createThreadTurn, type Thread } from './thread.ts'

/** Its code is loaded by that thread only. */
async function openDurable(
  ...parts: Parameters<typeof import('./durable.ts').openDurable>
): Promise<DurableThread> {
  return (await import('./durable.ts')).openDurable(...parts)
}

/** Resolves when the thread has been stopped. */
export default async function shard(task: ShardTask): Promise<void> {
  const { port, place } = task
  const threadId = nameThread(`iii ${task.name}`)
  const { role } = task
  if (role !== 'shard behind acceptor') loadParts(role === 'durable' ? 'durable' : 'shards', task.settings)
  let writeDown = (): void => {}
  const beats = new Int32Array(task.beats)
  const stopHeartbeat = startHeartbeat(beats, place, systemClock, () => writeDown())
  const say = (message: FromShard): void => port.postMessage(message)
  const log = createRemoteLog({
    post: say,
    level: task.logLevel,
    underWay: new Int32Array(task.linesUnderWay),
  })
  const turn = createThreadTurn(log)
  const links = new Map<Place, RingLink>()

  const registry = createMemberRegistry(note => links.get(MAIN)!.note(note), turn)
  const engine = createThreadEngine({
    place,
    lasting: task.durable,
    registry,
    catchUp: () => links.get(MAIN)?.catchUp(),
    clock: systemClock,
    log,
    randomId: () => crypto.randomUUID(),
    receiptId: () => Bun.randomUUIDv7(),
    namespaceGraceMs: task.settings.namespaceGraceMs,
  })
  writeDown = ledgerWriter(task.ledger, engine.state.counters)
  const thread = createThread(engine, turn, log)
  const durable = role === 'durable' ? openDurable(thread, task.settings, log) : undefined
  // Whoever has it serve hears of it.
  durable?.catch(() => {})
  const relay = task.role === 'acceptor' ? createRelay() : undefined
  const standins =
    task.role === 'shard behind acceptor'
      ? createStandins(
          () => links.get(task.acceptor!),
          createSocketHandlers({ engine, turn, clock: systemClock, log }),
        )
      : undefined

  function connectPeer(peer: Place, { incoming, outgoing }: RingPair): void {
    const link = createRingLink({ incoming, outgoing, clock: systemClock, turn })
    links.set(peer, link)
    const receiver = engine.connectTrunk(link, peer)
    function drained(): void {
      receiver.drained()
      relay?.shardDrained(link)
      if (peer === task.acceptor) standins?.acceptorDrained()
    }
    link.listen(
      { ...receiver, drained },
      {
        note: bytes => registry.ordered(engine.state, bytes),
        record(tag, bytes, start, end) {
          relay?.ordered(link, tag, bytes, start, end)
          standins?.happened(tag, bytes, start, end)
        },
        recordsEnd: () => relay?.ordersEnd(),
      },
    )
    if (peer !== MAIN && peer !== task.durable) relay?.addShard(link)
  }

  function disconnectPeer(peer: Place): void {
    const link = links.get(peer)
    if (link !== undefined) relay?.removeShard(link)
    link?.drop()
    links.delete(peer)
    if (peer === task.acceptor) standins?.closeAll()
    engine.disconnectTrunk(peer)
  }

  /** What comes for a gateway meanwhile is delivered to it in this turn. */
  function upToDate(): Promise<void> {
    links.get(MAIN)?.catchUp()
    return new Promise(resolve => void setImmediate(resolve))
  }

  /** What the shards have sent to sockets of this thread and has not left yet. */
  function unrelayedBytes(): number {
    if (relay === undefined) return 0
    for (const link of links.values()) link.catchUp()
    return relay.unsentBytes()
  }

  function account(workers: readonly string[]): ThreadAccount {
    return accountOf(
      engine.state,
      { threadId, links, resyncs: registry.resyncs(), storage: storage() },
      workers,
    )
  }

  // The runtime would close its sockets with a code that keeps old clients away (`docs/protocol/json.md#closing`).
  const forgetLastAct = asLastAct(() => {
    writeDown()
    thread.cut()
  })
  const ended = Promise.withResolvers<undefined>()
  const serving = Promise.withResolvers<Settings>()
  /** What is left to do when the workers have stopped. */
  async function close(): Promise<void> {
    await durable?.then(
      opened => opened.close(),
      () => {},
    )
  }
  let storage = (): readonly FolderHealth[] => []
  port.on('message', (message: ToShard) => {
    switch (message.say) {
      case 'serve':
        serving.resolve(message.settings)
        return
      case 'peer':
        connectPeer(message.place, message.rings)
        say({ say: 'connected', place: message.place })
        return
      case 'peer gone':
        disconnectPeer(message.place)
        return
      case 'drain':
        void thread.drain(message.ms, unrelayedBytes).then(() => say({ say: 'drained' }))
        return
      case 'stop':
        void thread
          .stop()
          .finally(close)
          .finally(() => ended.resolve(undefined))
        return
      case 'status':
        say({ say: 'status', id: message.id, account: account(message.workers) })
    }
  })

  for (const [peer, rings] of task.rings) connectPeer(peer, rings)
  const settings = await Promise.race([serving.promise, ended.promise])
  try {
    if (settings !== undefined && durable !== undefined) {
      const opened = await durable
      storage = opened.health
      await opened.serve(answered)
      say({ say: 'ready', ports: { listeners: [], gateways: {} }, addresses: {} })
    } else if (settings !== undefined) {
      const ports = await placeAll(thread, { ...task, settings }, relay, log, upToDate)
      say({ say: 'ready', ports, addresses: thread.addresses() })
    }
  } catch (error) {
    say({ say: 'failed', error: describe(error) })
    stopHeartbeat()
    await thread.stop()
    await close()
    forgetLastAct()
    return
  }
  await ended.promise
  forgetLastAct()
  stopHeartbeat()
  for (const link of links.values()) link.drop()
  port.close()
}

/**
 * Resolves when what a gateway has registered is carried out, and what is bound to it already has come: calls wait for
 * the registrations before them, whatever their answer. This one asks for what the main thread knows by itself.
 */
async function answered(client: WorkerClient): Promise<void> {
  const functionId = 'engine::functions::info'
  await client.trigger({ function_id: functionId, payload: { function_id: functionId } }).catch(() => {})
}

async function placeAll(
  thread: Thread,
  { settings, role, gateways: identities }: ShardTask,
  relay: Relay | undefined,
  log: Log,
  upToDate: () => Promise<void>,
): Promise<ShardPorts> {
  if (role === 'shard behind acceptor') return { listeners: [], gateways: {} }
  const reusePort = role === 'shard'
  const gateways: Record<string, Readonly<Record<string, string>>> = {}
  for (const { part, worker: name, instance, config } of partsOn('shards', settings)) {
    const parts = {
      clock: systemClock,
      log,
      reusePort,
      insecure: settings.insecure,
      hasRegistered: answered,
      upToDate,
    }
    const worker = await part.create(config, parts)
    const running = await thread.place(worker, instance, identities.get(instance))
    gateways[name] = running.addresses
  }
  const listeners = settings.listeners.map(
    listener => thread.listen(listener, { insecure: settings.insecure, reusePort, handlers: relay }).port,
  )
  return { listeners, gateways }
}

/** An error as it can be sent to another thread, with what the command line makes of it. */
function describe(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  return { ...error, message: error.message, stack: error.stack }
}
