/**
 * A built-in that stands on the durable thread and does no more than tests need: a sum that is kept, a trigger
 * type that is told of every change, and calls that take their time. `addLedger` puts its row beside those of the product, on
 * every thread of an attacked engine.
 */
import { z } from 'zod'
import type { KnownWorker } from '../../../src/config/settings.ts'
import type { Target } from '../../../src/protocol/frames.ts'
import { asJsonText, toJsonText } from '../../../src/protocol/jsonText.ts'
import type { Collection } from '../../../src/storage/command.ts'
import { type DurableParts, type Part, workerParts } from '../../../src/threads/parts.ts'
import { knownWorkers } from '../../../src/threads/placement.ts'
import type { BuiltInWorker } from '../../../workers/worker.ts'

export const LEDGER = 'test-ledger'

const SUM: Collection = { space: 'state', name: 'ledger', group: '' }

const schema = z.strictObject({ folder: z.string().optional() })

function createLedger({ log, partition }: DurableParts): BuiltInWorker {
  return {
    name: LEDGER,
    description: 'Sums up, for tests.',
    async start(client) {
      const targets = new Map<string, Target>()
      const total = async (): Promise<number> =>
        Number((await partition.read(({ get }) => get(SUM, 'sum')))?.value ?? 0)
      const tell = (event: object): void => {
        client.tellAll([...targets.values()], toJsonText(event))
      }
      client.registerTriggerType(
        { id: 'ledger', description: 'Every change of the sum.' },
        {
          bind({ id, function_id: functionId, namespace, metadata }) {
            targets.set(id, { functionId, namespace, metadata })
          },
          unbind: ({ id }) => void targets.delete(id),
        },
      )
      client.registerFunction<{ n: number }>('ledger::add', async ({ n }) => {
        const sum = (await total()) + n
        const value = asJsonText(String(sum))
        const put = { command: 'put', collection: SUM, key: 'sum', value } as const
        await partition.submit([{ ...put, ifVersion: undefined, expiresAtMs: undefined }])
        tell({ sum })
        return { sum }
      })
      client.registerFunction('ledger::wait', () => new Promise(() => {}))
      client.registerFunction<{ ms: number }>('ledger::block', ({ ms }) => {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
        return { blocked: ms }
      })
      return {
        addresses: {},
        async drain() {
          tell({ drained: await total() })
          log.info('the ledger has drained')
        },
        async stop() {
          log.info('the ledger has stopped')
        },
      }
    },
  }
}

export function addLedger(): void {
  const part: Part = {
    on: 'durable',
    keeps: config => ({ adapter: 'sqlite', folder: (config as z.infer<typeof schema>).folder }),
    create: (_, parts) => createLedger(parts),
  }
  const known = knownWorkers as Map<string, KnownWorker>
  known.set(LEDGER, { schema, multiple: false })
  const placed = workerParts as Map<string, readonly Part[]>
  placed.set(LEDGER, [part])
}
