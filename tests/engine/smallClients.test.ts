/**
 * Python clients before 0.24.5 drop their connection on messages above 1 MiB
 * (`docs/protocol/json.md#generations-of-clients`).
 */
import { expect, test } from 'bun:test'
import { limits } from '../../src/protocol/limits.ts'
import { answerTo, createWorld, registerFunction } from '../support/world.ts'

const LIMIT = limits.smallClientMessageBytes

/** Warnings about an answer of `length` bytes to a worker that announced this. */
function warningsFor(
  announcement: Record<string, unknown>,
  length: number,
  character = 'r',
): readonly object[] {
  const world = createWorld()
  const callee = world.join()
  callee.says(registerFunction('x::f'))
  const caller = world.join(announcement)
  caller.calls('x::f')
  // The quotes count.
  const count = (length - 2) / Buffer.byteLength(character)
  callee.says(answerTo(callee.hears()[0], { result: character.repeat(count) }))
  expect(caller.hears()).toHaveLength(1)
  return world.log.lines.map(({ level, message, fields }) => ({ level, message, ...fields }))
}

test.each([['0.22.1'], ['0.23.0'], ['0.24.4'], ['dev'], [undefined]])(
  'a larger answer to a Python client of version %p is passed on with a warning that names it',
  version => {
    expect(warningsFor({ runtime: 'python', version }, LIMIT + 1)).toMatchObject([
      { level: 'warn', function_id: 'x::f', bytes: LIMIT + 1 },
    ])
  },
)

test('what counts is bytes, not characters', () => {
  const length = 2 + 3 * Math.ceil(LIMIT / 3)
  expect(warningsFor({ runtime: 'python', version: '0.23.0' }, length, '€')).toMatchObject([
    { bytes: length },
  ])
})

test.each([
  ['it is no larger than that', { runtime: 'python', version: '0.23.0' }, LIMIT],
  ['the client is newer', { runtime: 'python', version: '0.24.5' }, LIMIT + 1],
  ['the client is much newer', { runtime: 'python', version: '1.0.0' }, LIMIT + 1],
  [
    'the client says that it takes large ones',
    { runtime: 'python', version: '0.23.0', features: ['large-messages.v1'] },
    LIMIT + 1,
  ],
  ['the client is no Python client', { runtime: 'node', version: '0.22.1' }, LIMIT + 1],
])('no warning when %s', (_, announcement, length) => {
  expect(warningsFor(announcement, length)).toEqual([])
})
