/** Workers are told of things in the order in which they happened, also when telling one of them changes more. */
import { expect, test } from 'bun:test'
import type { Change } from '../../src/engine/directory/changes.ts'
import {
  announce,
  createWorld,
  inMsgpack,
  type Puppet,
  registerFunction,
  registerTrigger,
  registerType,
} from '../support/world.ts'
import { outline } from './support.ts'

/** A worker whose link is cut, as a full one is, by the next frame that is sent to it. */
function cutAtNextFrame(worker: Puppet): void {
  const send = worker.link.send.bind(worker.link)
  worker.link.send = () => {
    worker.link.send = send
    worker.leaves()
  }
}

test('a binding whose owner is cut while it is moved is not left with its new provider', () => {
  const world = createWorld()
  const [owner, next] = [world.join(), world.join()]
  owner.says(registerType('tick'), registerTrigger('T1', 'tick'))
  owner.hears()
  // The owner provides the type too: it is told to forget the binding, and that is the frame that cuts it.
  cutAtNextFrame(owner)
  next.says(registerType('tick'))
  expect(outline(next.hears())).toEqual(['registertrigger T1', 'unregistertrigger T1'])
  expect(world.engine.state.directory.triggers.bindings.size).toBe(0)
})

test('those who watch hear of changes in order, whatever happens while frames are sent', () => {
  const world = createWorld()
  const [owner, rival] = [world.join({ name: 'owner' }), world.join({ name: 'rival' })]
  owner.says(registerFunction('x::f'))
  const seen: string[] = []
  world.engine.state.watchers.add((change: Change) => {
    if (change.change === 'functionChanged')
      seen.push(`${change.functionId}: ${change.workerId === undefined}`)
    if (change.change === 'workerChanged') seen.push(change.event)
    if (change.change === 'functionRejected') seen.push('rejected')
  })
  cutAtNextFrame(rival)
  rival.says(registerFunction('x::f'))
  expect(seen).toEqual(['rejected', 'worker_disconnected'])
  expect(world.engine.state.directory.functions.inDefault.get('x::f')?.waiting).toEqual([])
})

// Calls between msgpack links do not pass through `send`.
test.skipIf(inMsgpack)(
  'a callee whose link is cut by the call itself: the caller hears that it was stopped',
  () => {
    const world = createWorld()
    const [caller, callee] = [world.join(), world.join()]
    callee.says(registerFunction('x::f'))
    cutAtNextFrame(callee)
    const id = caller.calls('x::f')
    expect(caller.hears()).toMatchObject([{ invocation_id: id, error: { code: 'invocation_stopped' } }])
    expect(world.engine.callsInFlight()).toBe(0)
  },
)

test('a caller whose link is cut by an answer: the rest of its calls is forgotten', () => {
  const world = createWorld()
  const [caller, callee, other] = [world.join(), world.join(), world.join()]
  callee.says(registerFunction('x::f'))
  caller.calls('x::f')
  other.calls('x::f')
  caller.calls('x::f')
  cutAtNextFrame(caller)
  callee.leaves()
  expect(other.hears()).toMatchObject([{ error: { code: 'invocation_stopped' } }])
  expect(world.engine.callsInFlight()).toBe(0)
})

test('a connection that is cut while its held frames are applied gets none of the rest applied', () => {
  const world = createWorld()
  const [owner, callee] = [world.join(), world.join()]
  owner.says(registerFunction('x::f'))
  callee.says(registerFunction('y::g'))
  const late = world.connect()
  late.says(registerFunction('x::f'), registerFunction('y::h'), registerTrigger('T1', 'tick'))
  late.calls('y::h')
  // The refusal of the first one is the frame that cuts it.
  cutAtNextFrame(late)
  late.says(announce(), registerFunction('z::f'))
  const { functions, triggers, workers } = world.engine.state.directory
  expect([...functions.inDefault.keys()]).toEqual(['x::f', 'y::g'])
  expect([triggers.bindings.size, workers.size, world.engine.callsInFlight()]).toEqual([0, 2, 0])
})
