/**
 * A shard: a long-lived task of the pool. It has listeners and gateways of its own, and knows by its copy of the routes
 * where each call goes: to a worker of its own, or through a ring to another thread.
 */
import type { MessagePort } from 'node:worker_threads'
import { systemClock } from '../clock/clock.ts'
import { createThreadEngine } from '../engine/engine.ts'
import { MAIN } from '../engine/registry.ts'
import type { Place } from '../engine/routes.ts'
import type { Log, LogFields } from '../log/log.ts'
import { limits } from '../protocol/limits.ts'
import { createTurn } from '../server/turn.ts'
import { accountOf, type ThreadAccount } from './account.ts'
import { createMemberRegistry } from './memberRegistry.ts'
import { nameThread } from './osThread.ts'
import { knownWorkers } from './placement.ts'
import { createRingLink, type RingLink } from './ringLink.ts'
import type { FromShard, RingPair, ShardPorts, ShardTask, ToShard } from './shardTask.ts'
import { createThread, type Thread } from './thread.ts'

/** A log whose lines are written by the main thread. */
function createRemoteLog(port: MessagePort): Log {
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, fields?: LogFields) => {
    const line: FromShard = { say: 'log', level, message, fields: fields && plain(fields) }
    port.postMessage(line)
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** Errors lose their stack on the way between threads, and functions cannot go at all. */
function plain(fields: LogFields): LogFields {
  const entries = Object.entries(fields).map(([name, value]) => [
    name,
    value instanceof Error ? (value.stack ?? value.message) : typeof value === 'function' ? '…' : value,
  ])
  return Object.fromEntries(entries)
}

/** Resolves when the shard has been stopped. */
export default async function shard(task: ShardTask): Promise<void> {
  const { port, place } = task
  const threadId = nameThread(`iii shard ${place}`)
  beat(new Int32Array(task.beats), place)
  const say = (message: FromShard): void => port.postMessage(message)
  const log = createRemoteLog(port)
  const turn = createTurn()
  const links = new Map<Place, RingLink>()

  const registry = createMemberRegistry(note => links.get(MAIN)!.note(note), turn)
  const engine = createThreadEngine({
    place,
    registry,
    catchUp: () => links.get(MAIN)?.catchUp(),
    clock: systemClock,
    log,
    randomId: () => crypto.randomUUID(),
    namespaceGraceMs: task.settings.namespaceGraceMs,
  })
  const thread = createThread(engine, turn, log)

  function connectPeer(peer: Place, { incoming, outgoing }: RingPair): void {
    const link = createRingLink({ incoming, outgoing, clock: systemClock, turn })
    links.set(peer, link)
    link.listen(engine.connectTrunk(link, peer), bytes => registry.ordered(engine.state, bytes))
  }

  function disconnectPeer(peer: Place): void {
    links.get(peer)?.drop()
    links.delete(peer)
    const trunk = engine.state.trunks.get(peer)
    engine.state.trunks.delete(peer)
    if (trunk !== undefined) engine.state.teardown(trunk, 'its thread is gone')
  }

  function account(workers: readonly string[]): ThreadAccount {
    return accountOf(engine.state, { threadId, links, resyncs: registry.resyncs() }, workers)
  }

  const ended = Promise.withResolvers<void>()
  port.on('message', (message: ToShard) => {
    switch (message.say) {
      case 'peer':
        connectPeer(message.place, message.rings)
        return
      case 'peer gone':
        disconnectPeer(message.place)
        return
      case 'drain':
        void thread.drain(message.ms).then(() => say({ say: 'drained' }))
        return
      case 'stop':
        void thread.stop().finally(ended.resolve)
        return
      case 'status':
        say({ say: 'status', id: message.id, account: account(message.workers) })
    }
  })

  for (const [peer, rings] of task.rings) connectPeer(peer, rings)
  try {
    const ports = await placeAll(thread, task, log)
    say({ say: 'ready', ports, addresses: thread.addresses() })
  } catch (error) {
    say({ say: 'failed', error: describe(error) })
    await thread.stop()
    return
  }
  await ended.promise
  for (const link of links.values()) link.drop()
  port.close()
}

async function placeAll(thread: Thread, task: ShardTask, log: Log): Promise<ShardPorts> {
  const { settings } = task
  const gateways: Record<string, Readonly<Record<string, string>>> = {}
  for (const { name, instance, config } of settings.workers) {
    const worker = knownWorkers.get(name)?.create?.(config, { clock: systemClock, log, reusePort: true })
    if (worker === undefined) continue
    const running = await thread.place(worker, instance, task.gateways.get(instance))
    gateways[instance] = running.addresses
  }
  const listeners = settings.listeners.map(
    listener => thread.listen(listener, { insecure: settings.insecure, reusePort: true }).port,
  )
  return { listeners, gateways }
}

/** An error as it can be sent to another thread, with what the command line makes of it. */
function describe(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  return { ...error, message: error.message, stack: error.stack }
}

/** A thread that does not count any more is stuck, and is replaced. */
function beat(beats: Int32Array, place: Place): void {
  Atomics.add(beats, place, 1)
  systemClock.after(limits.heartbeatMs, () => beat(beats, place))
}
