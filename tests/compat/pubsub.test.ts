import { crateClients, npmClients, pypiClients } from './clients.ts'
import { DEPTH_LIMIT, pubsub } from './scenarios/pubsub.ts'
import { playScenarios } from './scenarios/stage.ts'

const workers = `  - name: iii-pubsub\n    config: { depth_limit: ${DEPTH_LIMIT} }`

for (const client of [...npmClients, ...pypiClients, ...crateClients])
  playScenarios(client, pubsub, { workers })
