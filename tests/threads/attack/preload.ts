/**
 * Loaded into an engine before everything else (`bun --preload`): its shards run with `shard.ts` of this folder around
 * them, which does to a shard what a test asks for, and know one more built-in. The product knows nothing of it.
 */
import Piscina from 'piscina'
import { limits } from '../../../src/protocol/limits.ts'
import { addLedger } from './ledger.ts'

const entry = new URL('./shard.ts', import.meta.url).href
const run = Piscina.prototype.run

Piscina.prototype.run = function (task, options) {
  return run.call(this, task, { ...options, filename: entry })
}

addLedger()

// Limits that would make a test long, on the main thread only.
Object.assign(limits, JSON.parse(process.env.III_ATTACK_LIMITS ?? '{}'))
