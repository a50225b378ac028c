/**
 * A built-in that stands on the durable thread and does no more than tests need: a sum that is kept in a file, a trigger
 * type that is told of every change, and calls that take their time. `addLedger` puts its row beside those of the product, on
 * every thread of an attacked engine.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import type { Target } from '../../../src/protocol/frames.ts'
import { toJsonText } from '../../../src/protocol/jsonText.ts'
import { type DurableParts, knownWorkers, type Placement } from '../../../src/threads/placement.ts'
import type { BuiltInWorker } from '../../../workers/worker.ts'

export const LEDGER = 'test-ledger'

const schema = z.strictObject({ file: z.string() })

function createLedger({ file }: z.infer<typeof schema>, { log }: DurableParts): BuiltInWorker {
  return {
    name: LEDGER,
    description: 'Sums up, for tests.',
    async start(client) {
      const targets = new Map<string, Target>()
      const total = (): number => (existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0)
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
      client.registerFunction<{ n: number }>('ledger::add', ({ n }) => {
        const sum = total() + n
        writeFileSync(file, String(sum))
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
          tell({ drained: total() })
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
  const row: Placement = {
    schema,
    multiple: false,
    parts: [
      {
        on: 'durable',
        keeps: () => ({ adapter: 'memory' }),
        create: (config, parts) => createLedger(config as z.infer<typeof schema>, parts),
      },
    ],
  }
  const rows = knownWorkers as Map<string, Placement>
  rows.set(LEDGER, row)
}
