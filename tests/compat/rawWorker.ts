/** A worker without an SDK that keeps its registrations as SDKs do: it reconnects, reattaches and says it all again. */
import { connectRaw, type RawClient } from '../support/rawClient.ts'
import { until } from '../support/waiting.ts'

export interface RawWorker {
  stop(): Promise<void>
}

export interface RawWorkerOptions {
  name: string
  /** Called on each connection, after the announce. */
  register(connection: RawClient): void
  /** Milliseconds before the next attempt. */
  retryMs(): number
}

export async function startRawWorker(
  url: string,
  { name, register, retryMs }: RawWorkerOptions,
): Promise<RawWorker> {
  let stopped = false
  let connection: RawClient | undefined
  const registered = Promise.withResolvers<void>()

  async function keepConnected(): Promise<void> {
    while (!stopped) {
      try {
        connection = await connectRaw(url, { name, ...(connection && { reattach: connection }) })
        register(connection)
        registered.resolve()
        await connection.closed
      } catch {
        // Lost before the engine's first frame.
      }
      await Bun.sleep(retryMs())
    }
  }

  const ended = keepConnected()
  await registered.promise
  return {
    async stop() {
      stopped = true
      await until('the raw worker is connected or gone', () => connection !== undefined)
      await connection?.close('cut')
      await ended
    },
  }
}
