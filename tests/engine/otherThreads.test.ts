/** What an engine on a thread without the directory does with what other threads say, and when they are slow. */
import { describe, expect, test } from 'bun:test'
import { MOST_SLOTS } from '../../src/engine/callTable.ts'
import type { Command } from '../../src/engine/directory/command.ts'
import { createEngine, createThreadEngine, type Engine } from '../../src/engine/engine.ts'
import type { Registry } from '../../src/engine/registry.ts'
import {
  type CallId,
  type Frame,
  type InvokeFrame,
  newCall,
  type ResultFrame,
} from '../../src/protocol/frames.ts'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Link, LinkReceiver } from '../../src/protocol/link.ts'
import {
  createRecordingLink,
  createRecordingLog,
  createSeededIds,
  createVirtualClock,
  type RecordingLink,
} from '../support/fakes.ts'
import { registrationFrame } from '../support/frames.ts'

function createThread(more: { catchUp?: () => void } = {}) {
  const clock = createVirtualClock()
  const log = createRecordingLog()
  const given: Command[] = []
  const thens: ((() => void) | undefined)[] = []
  const registry: Registry = {
    submit(command, then) {
      given.push(command)
      thens.push(then)
    },
  }
  const options = { clock, log, randomId: createSeededIds(), registry, place: 1, ...more }
  return { engine: createThreadEngine(options), clock, log, given, thens }
}

/** The link to another thread; what is sent is looked at as frames. */
function trunkLink(): RecordingLink & Link {
  return Object.assign(createRecordingLink(), { framing: 'msgpack' as const })
}

function callOf(functionId: string, invocationId: CallId | undefined, data = '{}'): InvokeFrame {
  return newCall(functionId, asJsonText(data), invocationId)
}

/** A built-in that answers `f`, on this thread. */
function withWorker(engine: Engine): RecordingLink {
  const link = createRecordingLink()
  const { workerId } = engine.connect(link, { builtIn: true, ipAddress: undefined })
  const here = { place: engine.state.place, httpInvoked: false, callee: undefined }
  engine.state.routes.set({ namespace: 'default', functionId: 'f', workerId, ...here })
  link.take()
  return link
}

function executingOf(engine: Engine): number {
  return [...engine.state.connections.values()].reduce((sum, { executing }) => sum + executing.size(), 0)
}

describe('calls from another thread', () => {
  function fromTrunk(): {
    engine: Engine
    trunk: LinkReceiver
    link: RecordingLink
    clock: { advance(ms: number): void }
  } {
    const { engine, clock } = createThread()
    withWorker(engine)
    const link = trunkLink()
    return { engine, trunk: engine.connectTrunk(link, 2), link, clock }
  }

  test('are cancelled however many newer ones there are', () => {
    const { engine, trunk } = fromTrunk()
    const count = limits.cancelSearch + 1000
    for (let id = 0; id < count; id++) trunk.receive(callOf('f', MOST_SLOTS + id))
    for (let id = 0; id < 1000; id++)
      trunk.receive({ type: 'cancelinvocation', invocationId: MOST_SLOTS + id })
    expect(executingOf(engine)).toBe(count - 1000)
    // Another call has the slot by now.
    trunk.receive({ type: 'cancelinvocation', invocationId: 3 * MOST_SLOTS + 1001 })
    expect(executingOf(engine)).toBe(count - 1000)
  })

  test('whose time is over there are forgotten here, without an answer that nobody waits for', () => {
    const { engine, trunk, link, clock } = fromTrunk()
    trunk.receive({ ...callOf('f', MOST_SLOTS), timeoutMs: 1000 })
    expect(executingOf(engine)).toBe(1)
    clock.advance(1000 + limits.deadlineMarginMs + 100)
    expect(executingOf(engine)).toBe(0)
    expect(link.take()).toEqual([])
  })
})

test('a thread is given no more calls than it can number, and more when it has answered some', () => {
  const engine = createEngine({
    clock: createVirtualClock(),
    log: createRecordingLog(),
    randomId: createSeededIds(),
  })
  let given = 0
  let lastId: CallId | undefined
  const trunk = Object.assign(trunkLink(), {
    send(frame: Frame) {
      if (frame.type !== 'invokefunction') return
      given++
      lastId = frame.invocationId
    },
  })
  const thread = engine.connectTrunk(trunk, 1)
  const there = { place: 1, httpInvoked: false, callee: undefined }
  engine.state.routes.set({ namespace: 'default', functionId: 'f', workerId: 'of thread 1', ...there })
  const link = createRecordingLink()
  const caller = engine.connect(link, { builtIn: true, ipAddress: undefined }).receiver
  link.take()

  for (let id = 0; id < MOST_SLOTS; id++) caller.receive(callOf('f', id))
  expect(given).toBe(MOST_SLOTS)
  expect(link.take()).toEqual([])

  caller.receive(callOf('f', 'one more'))
  expect(given).toBe(MOST_SLOTS)
  const [refusal] = link.take() as ResultFrame[]
  expect(refusal).toMatchObject({ type: 'invocationresult', invocationId: 'one more' })
  expect(JSON.parse(refusal!.error!)).toMatchObject({ code: 'worker_overloaded' })

  const headers = { functionId: 'f', error: undefined, traceparent: undefined, baggage: undefined }
  thread.receive({ type: 'invocationresult', invocationId: lastId!, result: asJsonText('1'), ...headers })
  expect(link.take()).toMatchObject([{ invocationId: MOST_SLOTS - 1, result: '1' }])
  caller.receive(callOf('f', 'again'))
  expect(given).toBe(MOST_SLOTS + 1)
  expect(link.take()).toEqual([])
})

test('a worker that announced a namespace is in it, however long the directory takes', () => {
  const { engine, clock, given, thens } = createThread()
  const { receiver } = engine.connect(createRecordingLink(), { builtIn: false, ipAddress: undefined })
  receiver.receive(callOf('engine::workers::register', undefined, '{"name":"w","namespace":"shop"}'))
  receiver.receive(registrationFrame('f'))
  clock.advance(limits.namespaceGraceMs + limits.quietGraceMs)
  expect(given.map(({ command }) => command)).toEqual(['join', 'announce'])
  for (const then of thens) then?.()
  expect(given.slice(2)).toMatchObject([
    { command: 'registerFunction', definition: { id: 'f', namespace: 'shop' } },
    { command: 'announced' },
  ])
})

test('a caller that turns out to be gone has its call forgotten', () => {
  let gone = (): void => {}
  const { engine } = createThread({ catchUp: () => gone() })
  const worker = withWorker(engine)
  const { workerId, receiver } = engine.connect(createRecordingLink(), {
    builtIn: true,
    ipAddress: undefined,
  })
  gone = () => engine.state.teardown(engine.state.connections.get(workerId)!, 'evicted')
  receiver.receive(callOf('f', crypto.randomUUID()))
  expect(worker.take()).toEqual([])
  expect(executingOf(engine)).toBe(0)
})

test('what an old connection still says of triggers does not touch those of its successor', () => {
  const engine = createEngine({
    clock: createVirtualClock(),
    log: createRecordingLog(),
    randomId: createSeededIds(),
  })
  const { directory, registry } = engine.state
  const connect = (): string =>
    engine.connect(createRecordingLink(), { builtIn: false, ipAddress: undefined }).workerId
  const [old, successor] = [connect(), connect()]
  registry.submit({ command: 'leave', workerId: old, reason: 'its socket was lost' })
  const texts = { triggerType: 'http', functionId: 'f', config: asJsonText('{}'), namespace: 'default' }
  const rest = { metadata: undefined, triggerNamespace: undefined, homeNamespace: 'default' }
  registry.submit({ command: 'registerTrigger', binding: { id: 'T', ownerId: successor, ...texts, ...rest } })
  registry.submit({ command: 'unregisterTrigger', workerId: old, id: 'T' })
  expect(directory.triggers.bindings.has('T')).toBe(true)
  registry.submit({ command: 'unregisterTrigger', workerId: successor, id: 'T' })
  expect(directory.triggers.bindings.has('T')).toBe(false)
})
