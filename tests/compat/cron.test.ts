import { crateClients, npmClients, pypiClients } from './clients.ts'
import { cron } from './scenarios/cron.ts'
import { playScenarios } from './scenarios/stage.ts'

for (const client of [...npmClients, ...pypiClients, ...crateClients])
  playScenarios(client, cron, { workers: '  - name: iii-cron' })
