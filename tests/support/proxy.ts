/**
 * A TCP proxy between a worker and the engine that can lose connections the way networks do: the worker sees its side
 * end, the engine still sees a connection that says nothing.
 */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface CutProxy extends AsyncDisposable {
  /** `ws://127.0.0.1:<port>`: what the worker connects to. */
  readonly url: string
  /** Connections that were accepted so far. */
  accepted(): number
  /** Connections whose both ends are open. */
  open(): number
  /** Ends the worker's side of every open connection; the engine's side stays open until it is released. */
  cut(): HeldEnds
}

/** The engine's sides of connections whose worker's sides have ended. */
export interface HeldEnds {
  /** Ends them too, without a goodbye; resolves when they are closed. */
  release(): Promise<void>
}

interface Pair {
  readonly worker: Socket
  readonly engine: Socket
}

export async function startCutProxy(engineUrl: string): Promise<CutProxy> {
  const { hostname, port } = new URL(engineUrl)
  const pairs = new Set<Pair>()
  /** The engine's sides that outlive their worker's. */
  const held = new Set<Socket>()
  let accepted = 0

  const server = createServer(worker => {
    accepted++
    const engine = connect({ host: hostname, port: Number(port), noDelay: true })
    const pair = { worker, engine }
    pairs.add(pair)
    worker.setNoDelay(true)
    worker.pipe(engine)
    engine.pipe(worker)
    // A reset is one of the ways a connection ends.
    worker.on('error', () => {})
    engine.on('error', () => {})
    worker.on('close', () => {
      pairs.delete(pair)
      if (!held.has(engine)) engine.destroy()
    })
    engine.on('close', () => {
      held.delete(engine)
      worker.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  function cutPair({ worker, engine }: Pair): Socket {
    held.add(engine)
    worker.unpipe(engine)
    engine.unpipe(worker)
    engine.pause()
    worker.destroy()
    return engine
  }

  async function release(engine: Socket): Promise<void> {
    if (engine.closed) return
    const closed = once(engine, 'close')
    engine.destroy()
    await closed
  }

  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accepted: () => accepted,
    open: () => pairs.size,
    cut() {
      const ends = [...pairs].map(cutPair)
      return { release: async () => void (await Promise.all(ends.map(release))) }
    },
    async [Symbol.asyncDispose]() {
      server.close()
      for (const { worker, engine } of pairs) {
        worker.destroy()
        engine.destroy()
      }
      for (const engine of held) engine.destroy()
    },
  }
}
