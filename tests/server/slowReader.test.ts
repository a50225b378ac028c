import { describe, expect, test } from 'bun:test'
import { until } from '../support/waiting.ts'
import { callOver, connectWorker, echo, type RawWorker, type Served, serve, settled } from './support.ts'

const KiB = 1024
const MiB = 1024 * KiB
const limits = {
  outboundHighWaterBytes: 1 * MiB,
  drainedBytes: 0.5 * MiB,
  overloadedBytes: 4 * MiB,
  outboundBytes: 8 * MiB,
  stallMs: 50,
  writeDeadlineMs: 1500,
}

const text = 'x'.repeat(64 * KiB)

/** More than all buffers between two ends of a connection hold. */
const FLOOD = 512

/** Looks every millisecond at what waits for a worker; the returned function stops that and gives the most it saw. */
function watchBacklog(served: Served, worker: RawWorker): () => number {
  let most = 0
  const timer = setInterval(() => {
    const connection = served.engine.state.connections.get(worker.workerId)
    most = Math.max(most, connection?.link.backlog() ?? 0)
  }, 1)
  return () => {
    clearInterval(timer)
    return most
  }
}

/** Slowest of some calls, in milliseconds. */
async function slowestCall(caller: RawWorker, functionId: string, isOver: () => boolean): Promise<number> {
  let slowest = 0
  while (!isOver()) {
    const started = performance.now()
    await callOver(caller, functionId, { n: 1 })
    slowest = Math.max(slowest, performance.now() - started)
    await Bun.sleep(1)
  }
  return slowest
}

describe('a worker that never reads', () => {
  async function scene() {
    const served = serve({ limits })
    const echoing = await connectWorker(served.port, 'echoing', ['echo'])
    echo(echoing)
    const neighbour = await connectWorker(served.port)
    await settled(neighbour)
    return { served, neighbour }
  }

  function wasCut({ log }: Served): boolean {
    return log.warnings().includes('a worker that does not read was cut')
  }

  test('is cut when others call it; what waits for it is bounded, and a neighbour keeps its pace', async () => {
    const { served, neighbour } = await scene()
    await using _ = served
    const deaf = await connectWorker(served.port, 'deaf', ['sink'])
    await settled(deaf)
    deaf.tcp.pause()
    const mostBacklog = watchBacklog(served, deaf)
    const producer = await connectWorker(served.port)
    for (let count = 0; count < FLOOD; count++) {
      producer.text({ type: 'invokefunction', function_id: 'sink', data: { text }, action: { type: 'void' } })
    }
    const slowest = await slowestCall(neighbour, 'echo', () => wasCut(served))
    expect(mostBacklog()).toBeWithin(limits.outboundHighWaterBytes, limits.outboundBytes)
    expect(slowest).toBeLessThan(limits.writeDeadlineMs / 2)
    await until('its end', () => !served.engine.state.connections.has(deaf.workerId))
    expect(served.engine.state.counters.slowReaders).toBe(1)
    const line = served.log.lines.find(({ message }) => message === 'a worker that does not read was cut')
    expect(line?.fields).toMatchObject({ worker_id: deaf.workerId, worker_name: 'deaf' })
    // What the engine dropped for it is counted, and its caller is none the worse.
    await until('what is left of the flood to be counted', () => served.engine.state.counters.lostVoids > 0)
    await settled(producer)
    deaf.destroy()
  }, 20_000)

  test('is cut when it calls others and takes no answers; those it called are served on', async () => {
    const { served, neighbour } = await scene()
    await using _ = served
    const deaf = await connectWorker(served.port)
    deaf.tcp.pause()
    const mostBacklog = watchBacklog(served, deaf)
    for (let count = 0; count < FLOOD; count++) {
      const invocation_id = `00000000-0000-4000-9000-${String(count).padStart(12, '0')}`
      deaf.text({ type: 'invokefunction', invocation_id, function_id: 'echo', data: { text } })
    }
    const slowest = await slowestCall(neighbour, 'echo', () => wasCut(served))
    expect(mostBacklog()).toBeWithin(limits.outboundHighWaterBytes, limits.outboundBytes + MiB)
    expect(slowest).toBeLessThan(limits.writeDeadlineMs / 2)
    await until('its end', () => !served.engine.state.connections.has(deaf.workerId))
    expect(await callOver(neighbour, 'echo', { n: 2 })).toMatchObject({ result: { n: 2 } })
    deaf.destroy()
  }, 20_000)

  test('leaves its callers with an answer', async () => {
    const { served, neighbour } = await scene()
    await using _ = served
    const deaf = await connectWorker(served.port, 'deaf', ['f'])
    await settled(deaf)
    deaf.tcp.pause()
    const answer = callOver(neighbour, 'f', { text })
    const producer = await connectWorker(served.port)
    for (let count = 0; count < FLOOD; count++) {
      producer.text({ type: 'invokefunction', function_id: 'f', data: { text }, action: { type: 'void' } })
    }
    expect(await answer).toMatchObject({ error: { code: 'invocation_stopped' } })
    deaf.destroy()
  }, 20_000)
})

test('a burst to a worker that reads holds nobody up', async () => {
  await using served = serve({ limits: { ...limits, stallMs: 60_000 } })
  const callee = await connectWorker(served.port, 'callee', ['f'])
  await settled(callee)
  let received = 0
  callee.listen(() => void received++)
  const producer = await connectWorker(served.port)
  for (let count = 0; count < FLOOD; count++) {
    producer.text({ type: 'invokefunction', function_id: 'f', data: { text }, action: { type: 'void' } })
  }
  await until('all of them', () => received === FLOOD)
}, 20_000)
