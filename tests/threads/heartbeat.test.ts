/** Shards that count, and the one who looks whether they do. */
import { describe, expect, test } from 'bun:test'
import type { Place } from '../../src/engine/routes.ts'
import { limits } from '../../src/protocol/limits.ts'
import { startHeartbeat } from '../../src/threads/heartbeat.ts'
import { createSupervision, type Supervised, type Supervision } from '../../src/threads/supervise.ts'
import {
  createRecordingLog,
  createVirtualClock,
  type RecordingLog,
  type VirtualClock,
} from '../support/fakes.ts'

interface World {
  readonly clock: VirtualClock
  readonly log: RecordingLog
  readonly supervision: Supervision
  readonly counted: Int32Array
  /** Reasons for which the shard was ended. */
  readonly kills: string[]
  /** Places that were started. */
  readonly starts: Place[]
  readonly failures: string[]
}

const PLACE = 1

function createWorld(state: Supervised['state'], startsWell: () => boolean = () => true): World {
  const clock = createVirtualClock()
  const log = createRecordingLog()
  const counted = new Int32Array(new SharedArrayBuffer(8))
  const [kills, starts, failures]: [string[], Place[], string[]] = [[], [], []]
  const kill = ({ message }: Error): void => void kills.push(message)
  const counters = { beats: 0, silentMs: 0, patienceMs: limits.silentShardMs }
  const shard: Supervised = { place: PLACE, handle: { kill }, state, ...counters }
  const supervision = createSupervision({
    clock,
    log,
    counted,
    shards: new Map([[PLACE, shard]]),
    start(place) {
      starts.push(place)
      return startsWell() ? Promise.resolve() : Promise.reject(new Error('a test asked for this'))
    },
    nounOf: () => 'the durable thread',
    isStopping: () => false,
    failed: ({ message }) => void failures.push(message),
  })
  return { clock, log, supervision, counted, kills, starts, failures }
}

describe('a shard', () => {
  test('that counts is left alone, and found silent when it has ended its counting', () => {
    const { clock, counted, kills } = createWorld('serving')
    const stop = startHeartbeat(counted, PLACE, clock)
    clock.advance(10 * limits.silentShardMs)
    expect(kills).toEqual([])
    stop()
    const count = counted[PLACE]
    clock.advance(limits.silentShardMs + limits.heartbeatMs)
    expect(counted[PLACE]).toBe(count!)
    expect(kills[0]).toContain('it did not answer for 10 s')
  })

  test('that does not begin to count is ended, after a longer time', () => {
    const { clock, kills } = createWorld('starting')
    clock.advance(limits.shardStartMs - 1)
    expect(kills).toEqual([])
    clock.advance(1)
    expect(kills).toEqual(['it did not answer for 60 s'])
  })

  test('that was lost is replaced after a pause; too many losses are the end', () => {
    const { clock, supervision, starts, failures } = createWorld('serving')
    for (let loss = 0; loss < limits.shardLosses; loss++) {
      supervision.replace(PLACE)
      expect(starts).toHaveLength(loss)
      clock.advance(limits.shardPauseMs * 2 ** loss)
      expect(starts).toHaveLength(loss + 1)
    }
    expect(supervision.restarts(PLACE)).toBe(limits.shardLosses)
    supervision.replace(PLACE)
    expect(failures).toEqual(['shards were lost 6 times within 60 s'])
  })

  test('that cannot be replaced is tried again', async () => {
    let tries = 0
    const { clock, log, supervision, starts } = createWorld('serving', () => ++tries > 1)
    supervision.replace(PLACE)
    clock.advance(limits.shardPauseMs)
    await Promise.resolve()
    await Promise.resolve()
    expect(log.warnings()).toEqual(['the durable thread could not be replaced'])
    clock.advance(2 * limits.shardPauseMs)
    expect(starts).toHaveLength(2)
  })
})

test('nothing is left behind when both have ended', () => {
  const { clock, supervision, counted } = createWorld('serving')
  const stop = startHeartbeat(counted, PLACE, clock)
  clock.advance(3 * limits.heartbeatMs)
  stop()
  supervision.stop()
  expect(clock.pending()).toBe(0)
})
