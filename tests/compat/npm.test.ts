import { npmClients } from './clients.ts'
import { calls } from './scenarios/calls.ts'
import { configuration } from './scenarios/configuration.ts'
import { life } from './scenarios/life.ts'
import { playScenarios } from './scenarios/stage.ts'
import { triggers } from './scenarios/triggers.ts'

for (const client of npmClients) playScenarios(client, [...calls, ...triggers, ...configuration, ...life])
