import { expect, test } from 'bun:test'
import { createMemoryPartition } from '../../src/storage/mod.ts'
import { createRecordingLog, createVirtualClock } from '../support/fakes.ts'
import { putOf, refusalCode } from './stage.ts'

test('a partition in memory gives out no version of one before it', async () => {
  const wallMs = 1_767_225_600_000
  const at = (ms: number) =>
    createMemoryPartition({
      clock: createVirtualClock(),
      log: createRecordingLog(),
      wallClock: () => ms,
      atTurnEnd: queueMicrotask,
    })
  const lost = at(wallMs)
  for (let number = 0; number < 50; number++) await lost.submit([putOf('a')])
  const { revision } = await lost.submit([putOf('a')])
  const next = at(wallMs + 1)
  expect(next.status().revision).toBeGreaterThan(revision)
  await next.submit([putOf('a')])
  expect(await refusalCode(next.submit([putOf('a', '2', { ifVersion: revision })]))).toBe('VERSION_CONFLICT')
  expect(await next.since('state', revision, 10)).toMatchObject({ kind: 'gone' })
  expect(Number.isSafeInteger(next.status().revision)).toBe(true)
})
