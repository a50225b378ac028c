import { crateClients, npmClients, pypiClients } from './clients.ts'
import { queue } from './scenarios/queue.ts'
import { playScenarios } from './scenarios/stage.ts'

const workers = `  - name: iii-queue
    config:
      adapter: { config: { backoff_ms: 20 } }
      queue_configs:
        retried: { max_retries: 2, backoff_ms: 20 }
        ordered: { type: fifo, message_group_field: order }`

for (const client of [...npmClients, ...pypiClients, ...crateClients])
  playScenarios(client, queue, { workers })

// The same worker, unchanged, outside the engine, with the queue that is always there.
for (const client of npmClients)
  playScenarios(
    client,
    queue.filter(({ needs }) => needs === undefined),
    { alone: 'queue' },
  )
