/** What a ring link has beyond what every link promises (`tests/conformance`): records that are no frames. */
import { expect, test } from 'bun:test'
import { systemClock } from '../../src/clock/clock.ts'
import { limits } from '../../src/protocol/limits.ts'
import { createTurn } from '../../src/server/turn.ts'
import { createRingLink } from '../../src/threads/ringLink.ts'
import { createRingBuffer } from '../../src/threads/ringMemory.ts'
import { until } from '../support/waiting.ts'

const RING_BYTES = 1024 * 1024
const TAG = 2 ** 28

test.each([['records'], ['notes']])('%s that fill the backlog are reported as drained, too', async kind => {
  const [there, back] = [createRingBuffer(RING_BYTES), createRingBuffer(RING_BYTES)]
  const common = { clock: systemClock, turn: createTurn() }
  const sender = createRingLink({ ...common, incoming: back, outgoing: there })
  const reader = createRingLink({ ...common, incoming: there, outgoing: back })
  let drains = 0
  let arrived = 0
  const deaf = { receive() {}, problem() {}, ended() {} }
  sender.listen({ ...deaf, drained: () => void drains++ }, { note() {} })
  reader.listen({ ...deaf, drained() {} }, { note: () => void arrived++, record: () => void arrived++ })
  reader.pause()
  const bytes = new Uint8Array(RING_BYTES / 4)
  let count = 0
  for (; sender.backlog() < limits.outboundHighWaterBytes; count++) {
    if (kind === 'notes') sender.note(bytes)
    else sender.record(TAG, bytes)
  }
  expect(drains).toBe(0)
  reader.resume()
  await until('everything has come', () => arrived === count)
  expect(drains).toBe(1)
  sender.drop()
  reader.drop()
})
