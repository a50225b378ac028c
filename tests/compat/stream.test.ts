import { crateClients, npmClients, pypiClients } from './clients.ts'
import { playScenarios } from './scenarios/stage.ts'
import { streams } from './scenarios/stream.ts'

const workers = '  - name: iii-stream\n    config: { port: 0 }'

for (const client of [...npmClients, ...pypiClients, ...crateClients])
  playScenarios(client, streams, { workers })
