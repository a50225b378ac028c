import { crateClients } from './clients.ts'
import { calls } from './scenarios/calls.ts'
import { life } from './scenarios/life.ts'
import { playScenarios } from './scenarios/stage.ts'
import { triggers } from './scenarios/triggers.ts'

for (const client of crateClients) playScenarios(client, [...calls, ...triggers, ...life])
