import { expect, test } from 'bun:test'
import { systemClock } from '../../src/clock/clock.ts'
import { createThreadEngine } from '../../src/engine/engine.ts'
import { decodeJson } from '../../src/protocol/json/decode.ts'
import type { LinkReceiver } from '../../src/protocol/link.ts'
import { createTurn } from '../../src/server/turn.ts'
import { createThread } from '../../src/threads/thread.ts'
import { createRecordingLink, createRecordingLog, createSeededIds } from '../support/fakes.ts'
import { until } from '../support/waiting.ts'

const ELSEWHERE = 2

test('a thread has drained when other threads have answered what its workers called', async () => {
  const log = createRecordingLog()
  const engine = createThreadEngine({
    place: 1,
    registry: { submit: (_, then) => then?.() },
    clock: systemClock,
    log,
    randomId: createSeededIds(),
  })
  const trunk = createRecordingLink()
  const fromElsewhere = engine.connectTrunk(trunk, ELSEWHERE)
  const route = {
    namespace: 'default',
    functionId: 'x::f',
    workerId: 'w',
    place: ELSEWHERE,
    httpInvoked: false,
  }
  engine.state.routes.set({ ...route, callee: undefined })
  const caller = createRecordingLink()
  const { receiver } = engine.connect(caller, { builtIn: true, ipAddress: undefined })
  caller.take()
  const say = (to: LinkReceiver, message: object): void => {
    const frame = decodeJson(JSON.stringify(message))
    if (frame === undefined || frame.type === 'problem') throw new Error('not a frame')
    to.receive(frame)
  }
  const invocation_id = crypto.randomUUID()
  say(receiver, { type: 'invokefunction', invocation_id, function_id: 'x::f', data: {} })
  const [call] = trunk.take()
  if (call?.type !== 'invokefunction') throw new Error('the call did not leave')

  let looks = 0
  const watched: typeof engine = {
    ...engine,
    callsInFlight() {
      looks++
      return engine.callsInFlight()
    },
  }
  let hasDrained = false
  const drained = createThread(watched, createTurn(), log)
    .drain(60_000)
    .then(() => {
      hasDrained = true
    })
  await until('it has looked a few times', () => hasDrained || looks > 3)
  expect(hasDrained).toBe(false)
  say(fromElsewhere, { type: 'invocationresult', invocation_id: call.invocationId, result: 1 })
  await drained
  expect(caller.take()).toMatchObject([
    { type: 'invocationresult', invocationId: invocation_id, result: '1' },
  ])
  engine.stop()
})
