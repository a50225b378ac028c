/** An engine behind a real listener, in this process. */
import { type Clock, systemClock } from '../../src/clock/clock.ts'
import { createEngine, type HostEngine } from '../../src/engine/engine.ts'
import { type Limits, limits as usualLimits } from '../../src/protocol/limits.ts'
import { type ListenerSettings, listenerSchema } from '../../src/server/config.ts'
import { type Listener, listen } from '../../src/server/listener.ts'
import { createTurn } from '../../src/server/turn.ts'
import { createRecordingLog, type RecordingLog } from '../support/fakes.ts'
import { opcodes, openRaw, type RawWebSocket } from '../support/rawWebSocket.ts'

export interface Served extends AsyncDisposable {
  readonly engine: HostEngine
  readonly listener: Listener
  readonly port: number
  readonly log: RecordingLog
}

export interface ServeOptions {
  readonly settings?: Partial<ListenerSettings>
  readonly limits?: Partial<Limits>
  readonly clock?: Clock
  readonly insecure?: boolean
}

export function serve({
  settings,
  limits,
  clock = systemClock,
  insecure = false,
}: ServeOptions = {}): Served {
  const log = createRecordingLog()
  const engine = createEngine({
    clock,
    log,
    randomId: () => crypto.randomUUID(),
    limits: { ...usualLimits, ...limits },
  })
  const listener = listen(
    { ...listenerSchema.parse({}), port: 0, ...settings },
    { engine, turn: createTurn(), clock, log, insecure },
  )
  return {
    engine,
    listener,
    port: listener.port,
    log,
    async [Symbol.asyncDispose]() {
      await listener.stop()
      engine.stop()
    },
  }
}

export interface RawWorker extends RawWebSocket {
  readonly workerId: string
}

/** Connects; with a name the worker announces itself, with functions it offers them. */
export async function connectWorker(
  port: number,
  name?: string,
  functions: readonly string[] = [],
): Promise<RawWorker> {
  const socket = await openRaw(port)
  const { worker_id } = await socket.nextMessage()
  if (name !== undefined) {
    const data = { name, version: '0.23.0', runtime: 'test' }
    socket.text({
      type: 'invokefunction',
      function_id: 'engine::workers::register',
      data,
      action: { type: 'void' },
    })
  }
  for (const id of functions) socket.text({ type: 'registerfunction', id })
  return { ...socket, workerId: String(worker_id) }
}

/** Answers every call with its own payload. */
export function echo(worker: RawWorker): void {
  worker.listen(({ opcode, payload }) => {
    if (opcode !== opcodes.text) return
    const { type, invocation_id, function_id, data } = JSON.parse(payload.toString())
    if (type === 'invokefunction')
      worker.text({ type: 'invocationresult', invocation_id, function_id, result: data })
  })
}

let calls = 0

/** Calls a function and gives the answer: `{result?, error?}`. */
export async function callOver(
  worker: RawWorker,
  functionId: string,
  data: unknown = {},
): Promise<Record<string, unknown>> {
  const id = `00000000-0000-4000-8000-${String(++calls).padStart(12, '0')}`
  worker.text({ type: 'invokefunction', invocation_id: id, function_id: functionId, data })
  for (;;) {
    const message = await worker.nextMessage()
    if (message.type === 'invocationresult' && message.invocation_id === id) return message
  }
}

/** Waits for a ping of the engine and gives a sign of life. */
export async function answerPing(worker: RawWorker): Promise<void> {
  for (;;) {
    const { opcode, payload } = await worker.frames.next()
    if (opcode !== opcodes.ping) continue
    worker.send(opcodes.pong, payload)
    return
  }
}

/** Resolves when the engine has handled everything the worker sent before. */
export async function settled(worker: RawWorker): Promise<void> {
  worker.text({ type: 'ping' })
  while ((await worker.nextMessage()).type !== 'pong');
}
