/** Asks an engine how often its partitions have synced, over a connection of its own. */
import { connectAnnounced, idPrefix, idSuffix } from '../clients/wire.ts'

export interface SyncCounter {
  /** Fsyncs so far; NaN if the engine does not say. */
  syncs(): Promise<number>
  stop(): Promise<void>
}

const STATUS = 'engine::storage::status'
const PATIENCE_MS = 5000

export async function createSyncCounter(url: string): Promise<SyncCounter> {
  const socket = await connectAnnounced(url, `bench-syncs-${process.pid}`)
  let asked = 0
  let answered: (syncs: number) => void = () => {}
  socket.onmessage = ({ data }) => {
    const frame = data as string
    if (!frame.includes('"invocationresult"')) return
    const result: unknown = JSON.parse(frame).result
    answered(sumOfSyncs(result))
  }
  return {
    syncs() {
      const { promise, resolve } = Promise.withResolvers<number>()
      answered = resolve
      const id = idPrefix(0xffff_fffd) + idSuffix(asked++, 0)
      socket.send(
        JSON.stringify({ type: 'invokefunction', invocation_id: id, function_id: STATUS, data: {} }),
      )
      return Promise.race([promise, Bun.sleep(PATIENCE_MS).then(() => Number.NaN)])
    },
    async stop() {
      socket.close()
    },
  }
}

/** Whatever the shape of the status: all `syncs` in it. */
function sumOfSyncs(result: unknown): number {
  let sum = Number.NaN
  const look = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [name, member] of Object.entries(value)) {
      if (name === 'syncs' && typeof member === 'number') sum = (Number.isNaN(sum) ? 0 : sum) + member
      else look(member)
    }
  }
  look(result)
  return sum
}
