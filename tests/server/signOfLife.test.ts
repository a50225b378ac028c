/** Whether the holder of a name lives is asked over its socket, before another worker is refused. */
import { describe, expect, test } from 'bun:test'
import { opcodes } from '../support/rawWebSocket.ts'
import { until } from '../support/waiting.ts'
import { answerPing, connectWorker, type Served, serve, settled } from './support.ts'

const names = ({ engine }: Served): unknown[] =>
  [...engine.state.directory.workers.values()].map(({ id, announcement }) => announcement && id)

describe('a worker that announces the name of another one', () => {
  test('is refused when that one answers a ping', async () => {
    await using served = serve()
    const holder = await connectWorker(served.port, 'orders')
    await settled(holder)
    const other = await connectWorker(served.port, 'orders')
    await answerPing(holder)
    expect(await other.nextMessage()).toMatchObject({ type: 'registrationrejected' })
    await settled(holder)
    expect(names(served)).toEqual([holder.workerId])
  })

  test('waits until it is known, and has the name if the connection of that one ends', async () => {
    await using served = serve()
    const holder = await connectWorker(served.port, 'orders')
    await settled(holder)
    const other = await connectWorker(served.port, 'orders', ['other::f'])
    expect((await holder.frames.next()).opcode).toBe(opcodes.ping)
    await settled(other)
    expect(served.engine.state.routes.find(undefined, 'other::f')).toBeUndefined()
    holder.tcp.resetAndDestroy()
    await until('its function', () => served.engine.state.routes.find(undefined, 'other::f'))
    expect(names(served)).toEqual([other.workerId])
  })

  test('has the name if that one gives no sign of life in time, and that one is cut', async () => {
    await using served = serve({ limits: { signOfLifeMs: 20 } })
    const holder = await connectWorker(served.port, 'orders')
    await settled(holder)
    const other = await connectWorker(served.port, 'orders', ['other::f'])
    await holder.over
    await until('its function', () => served.engine.state.routes.find(undefined, 'other::f'))
    expect(names(served)).toEqual([other.workerId])
  })
})
