/** What the errors of calls mean for the messages that they were made for. */
import { expect, test } from 'bun:test'
import { createCallTable } from '../../../sdk/typescript/src/calls.ts'
import { ENGINE_STOPPING } from '../../../src/engine/refusals.ts'
import type { ErrorBody } from '../../../src/protocol/frames.ts'
import { asJsonText, fromJsonText } from '../../../src/protocol/jsonText.ts'
import { meaningOf } from '../../../workers/queue/ending.ts'
import { createVirtualClock } from '../../support/fakes.ts'

/** How a call ends whose connection goes, before or after it was sent. */
function lostWhen(isSent: boolean): ErrorBody {
  let said: ErrorBody | undefined
  const calls = createCallTable(createVirtualClock(), false, () => {})
  if (isSent) calls.opened()
  const frame = { type: 'invokefunction', functionId: 'mail', data: asJsonText('1') } as never
  calls.call(frame, 1000, error => {
    said = error
  })
  calls.closed(true)
  return said!
}

test('an engine that ends, and a connection to it that is lost, are no failures of the handler', () => {
  expect(meaningOf(fromJsonText(ENGINE_STOPPING) as ErrorBody, 'mail')).toBe('stopping')
  for (const isSent of [true, false]) {
    expect(lostWhen(isSent).code).toBe('CONNECTION_LOST')
    expect(meaningOf(lostWhen(isSent), 'mail')).toBe('stopping')
  }
})

test('errors of the same codes that a handler passes on are failures', () => {
  for (const code of ['engine_stopping', 'CONNECTION_LOST', 'invocation_stopped', 'worker_overloaded'])
    expect([code, meaningOf({ code, message: 'the connection to the database is lost' }, 'mail')]).toEqual([
      code,
      'failed',
    ])
})
