/** `examples/stream-page/follow.ts`, without an engine; `tests/browser/follow.test.ts` holds it against one. */
import { afterEach, beforeEach, expect, spyOn, test } from 'bun:test'
import { followGroup } from '../../examples/stream-page/follow.ts'

interface FakeSocket {
  onopen?: () => void
  onclose?: () => void
}

const real = globalThis.WebSocket
let sockets: FakeSocket[] = []
let waits: (() => void)[] = []
const timer = spyOn(globalThis, 'setTimeout')

beforeEach(() => {
  sockets = []
  waits = []
  timer.mockImplementation(((task: () => void) => waits.push(task)) as unknown as typeof setTimeout)
  globalThis.WebSocket = class {
    constructor() {
      sockets.push(this as FakeSocket)
    }
    send() {}
    close() {}
  } as unknown as typeof WebSocket
})
afterEach(() => {
  timer.mockRestore()
  globalThis.WebSocket = real
})

test('whether there is a connection is told when that changes, not for each attempt', () => {
  const told: boolean[] = []
  const end = followGroup({
    url: 'ws://engine',
    streamName: 's',
    groupId: 'g',
    changed() {},
    connected: isConnected => told.push(isConnected),
  })
  const fail = () => {
    sockets.at(-1)!.onclose!()
    waits.shift()!()
  }
  fail()
  fail()
  expect(told).toEqual([false])
  sockets.at(-1)!.onopen!()
  expect(told).toEqual([false, true])
  fail()
  fail()
  expect(told).toEqual([false, true, false])
  expect(sockets).toHaveLength(5)
  end()
})
