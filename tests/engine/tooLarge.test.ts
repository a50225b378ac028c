/** Built-in workers can write more than a message holds. Whoever got it would drop its connection. */
import { expect, test } from 'bun:test'
import { answerTo, createWorld, registerFunction } from '../support/world.ts'
import { errorOf } from './support.ts'

const LIMIT = 100_000
/** Fits, the fields around it counted. */
const SMALL = 'x'.repeat(LIMIT / 4)
const LARGE = 'x'.repeat(LIMIT)
/** Few characters, many bytes. */
const WIDE = '€'.repeat(LIMIT / 2)

test.each([[LARGE], [WIDE]])(
  'a result of a built-in that no message holds is an error for its caller',
  result => {
    const world = createWorld({ limits: { messageBytes: LIMIT } })
    const builtIn = world.builtIn()
    builtIn.says(registerFunction('list::all'))
    const caller = world.join()
    caller.calls('list::all')
    builtIn.says(answerTo(builtIn.hears().at(-1), { result }))
    expect(errorOf(caller.hears()[0])).toMatchObject({ code: 'payload_too_large' })
    caller.calls('list::all')
    builtIn.says(answerTo(builtIn.hears().at(-1), { result: SMALL }))
    expect(caller.hears()).toMatchObject([{ result: SMALL }])
    expect(world.engine.callsInFlight()).toBe(0)
  },
)

test.each([[LARGE], [WIDE]])('a call of a built-in that no message holds does not reach the worker', data => {
  const world = createWorld({ limits: { messageBytes: LIMIT } })
  const worker = world.join()
  worker.says(registerFunction('x::f'))
  const builtIn = world.builtIn()
  builtIn.calls('x::f', data)
  expect(errorOf(builtIn.hears()[0])).toMatchObject({ code: 'payload_too_large' })
  expect(worker.hears()).toEqual([])
  builtIn.calls('x::f', SMALL)
  expect(worker.hears()).toMatchObject([{ type: 'invokefunction', data: SMALL }])
})

test.each([
  ['engine::functions::list', 'page through it with `limit` and `cursor`'],
  ['other::list', 'ask for less at a time'],
])('the error about %s names the way out', (id, way) => {
  const world = createWorld({ limits: { messageBytes: LIMIT } })
  const builtIn = world.builtIn()
  builtIn.says(registerFunction(id))
  const caller = world.join()
  caller.calls(id)
  builtIn.says(answerTo(builtIn.hears().at(-1), { result: LARGE }))
  expect(errorOf(caller.hears()[0])?.message).toContain(way)
})
