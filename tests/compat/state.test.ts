import { crateClients, npmClients, pypiClients } from './clients.ts'
import { playScenarios } from './scenarios/stage.ts'
import { state } from './scenarios/state.ts'

const workers = '  - name: iii-state'

for (const client of [...npmClients, ...pypiClients, ...crateClients])
  playScenarios(client, state, { workers })

// The same worker, unchanged, outside the engine.
for (const client of npmClients) playScenarios(client, state, { alone: 'state' })
