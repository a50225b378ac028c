/**
 * An engine without sockets and with a clock of its own, and workers that are puppets of a test: they say and hear
 * messages exactly as they are on the wire.
 *
 *     const world = createWorld()
 *     const orders = world.join({ name: 'orders' })
 *     orders.says(registerFunction('orders::create'))
 *     const id = world.join().calls('orders::create', { n: 1 })
 *     expect(orders.hears()).toEqual([{ type: 'invokefunction', invocation_id: id, … }])
 */
import { createEngine, type EngineOptions, type HostEngine } from '../../src/engine/engine.ts'
import { decodeJson } from '../../src/protocol/json/decode.ts'
import { encodeJson } from '../../src/protocol/json/encode.ts'
import { limits as defaultLimits, type Limits } from '../../src/protocol/limits.ts'
import type { Capability } from '../../src/protocol/msgpack/hello.ts'
import {
  createRecordingLink,
  createRecordingLog,
  createSeededIds,
  createVirtualClock,
  type RecordingLink,
  type RecordingLog,
  type VirtualClock,
} from './fakes.ts'
import { type CallNames, createMsgpackEnd } from './msgpackPuppet.ts'
import { shards } from './shape.ts'
import { createShardedEngine } from './shardedEngine.ts'

/** What the workers of a world speak, so that the same tests can be run in both framings. */
const FRAMING = process.env.III_TEST_FRAMING ?? 'json'
/** For tests of what is only so in JSON. */
export const inMsgpack = FRAMING === 'msgpack'

/** One message as it is on the wire. */
export interface Message {
  readonly type: string
  readonly [field: string]: unknown
}

export interface Puppet {
  readonly id: string
  /** Its reattach token. */
  readonly token: string
  readonly link: RecordingLink
  says(...messages: Message[]): void
  saysText(text: string): void
  /** Takes out what the engine has sent since the last look. */
  hears(): Message[]
  /** The same as the exact text. */
  hearsText(): string[]
  /** Calls a function and wants an answer; returns the invocation id. `more`: further fields of the message. */
  calls(functionId: string, data?: unknown, more?: object): string
  /** It reads again what it was sent: its link has no backlog any more. */
  drains(): void
  /** Its socket is lost. */
  leaves(): void
}

export interface World {
  readonly engine: HostEngine
  readonly clock: VirtualClock
  readonly log: RecordingLog
  /** A connection that has not said anything yet; it has heard its `workerregistered`. */
  connect(): Puppet
  /** A worker that has announced itself: `{ name, version, namespace, … }`, by default a name nobody else has. */
  join(announcement?: Record<string, unknown>): Puppet
  /** A worker of the engine's own. */
  builtIn(name?: string): Puppet
}

export interface WorldOptions {
  receiptId?: () => string
  readonly limits?: Partial<Limits>
  readonly namespaceGraceMs?: number
  readonly seed?: number
}

export function registerFunction(id: string, more: object = {}): Message {
  return { type: 'registerfunction', id, ...more }
}

export function unregisterFunction(id: string): Message {
  return { type: 'unregisterfunction', id }
}

export function registerType(id: string, more: object = {}): Message {
  return { type: 'registertriggertype', id, description: '', ...more }
}

export function unregisterType(id: string): Message {
  return { type: 'unregistertriggertype', id }
}

export function registerTrigger(
  id: string,
  trigger_type: string,
  function_id = 'target::run',
  more: object = {},
): Message {
  return { type: 'registertrigger', id, trigger_type, function_id, config: {}, ...more }
}

export function unregisterTrigger(id: string): Message {
  return { type: 'unregistertrigger', id }
}

export function announce(data: object = {}, more: object = { action: { type: 'void' } }): Message {
  return { type: 'invokefunction', function_id: 'engine::workers::register', data, ...more }
}

/** The answer to an `invokefunction` message. `outcome`: `{ result }`, `{ error }` or nothing. */
export function answerTo(call: Message | undefined, outcome: object = {}): Message {
  const { invocation_id, function_id }: Partial<Message> = call ?? {}
  return { type: 'invocationresult', invocation_id, function_id, ...outcome }
}

/** A provider's answer to a `registertrigger` message. */
export function boundAnswer(bind: Message | undefined, error?: object): Message {
  const { id, trigger_type, function_id }: Partial<Message> = bind ?? {}
  return { type: 'triggerregistrationresult', id, trigger_type, function_id, error }
}

export function createWorld(options: WorldOptions = {}): World {
  const clock = createVirtualClock()
  const log = createRecordingLog()
  const engineOptions: EngineOptions = {
    clock,
    log,
    randomId: createSeededIds(options.seed),
    ...(options.receiptId === undefined ? {} : { receiptId: options.receiptId }),
    limits: { ...defaultLimits, ...options.limits } as Limits,
    ...(options.namespaceGraceMs === undefined ? {} : { namespaceGraceMs: options.namespaceGraceMs }),
  }
  const sharded = shards === 0 ? undefined : createShardedEngine(engineOptions, shards)
  const engine = sharded ?? createEngine(engineOptions)
  const inOneTurn = sharded?.inOneTurn ?? (task => task())
  const newInvocationId = createSeededIds((options.seed ?? 1) + 1)
  const callNames: CallNames = new Map()
  const newOwnId = createSeededIds((options.seed ?? 1) + 2)
  let joined = 0

  function connect(builtIn: boolean): Puppet {
    const msgpack = builtIn || !inMsgpack ? undefined : createMsgpackEnd(callNames, engine, newOwnId)
    const link = msgpack?.link ?? createRecordingLink()
    const capabilities = new Set<Capability>(['caller'])
    const origin = { builtIn, ipAddress: '127.0.0.1' }
    const { workerId, receiver } = engine.connect(
      link,
      msgpack === undefined ? origin : { ...origin, capabilities },
    )
    if (msgpack !== undefined) msgpack.workerId = workerId
    const [greeting] = link.take()
    const puppet: Puppet = {
      id: workerId,
      token: greeting?.type === 'workerregistered' ? greeting.reattachToken : '',
      link,
      says(...messages) {
        inOneTurn(() => {
          for (const message of messages) puppet.saysText(JSON.stringify(message))
        })
      },
      saysText(text) {
        const frame = decodeJson(text)
        if (frame === undefined) return
        if (frame.type === 'problem') receiver.problem(frame)
        else if (msgpack !== undefined) msgpack.say(receiver, frame)
        else receiver.receive(frame)
      },
      hears: () => puppet.hearsText().map(text => JSON.parse(text) as Message),
      hearsText: () => link.take().map(encodeJson),
      calls(function_id, data = {}, more = {}) {
        const invocation_id = newInvocationId()
        puppet.says({ type: 'invokefunction', invocation_id, function_id, data, ...more })
        return invocation_id
      },
      drains() {
        link.unreadBytes = 0
        receiver.drained()
      },
      leaves: () => receiver.ended(),
    }
    return puppet
  }

  return {
    engine,
    clock,
    log,
    connect: () => connect(false),
    join(announcement = {}) {
      const puppet = connect(false)
      puppet.says(announce({ name: `worker-${++joined}`, version: '0.23.0', ...announcement }))
      return puppet
    },
    builtIn(name = `built-in-${++joined}`) {
      const puppet = connect(true)
      const announcement = {
        name,
        description: undefined,
        version: '1.0.0',
        runtime: 'engine',
        os: undefined,
        pid: undefined,
        isolation: 'in-process',
        telemetry: undefined,
      }
      const workerId = puppet.id
      engine.state.registry.submit({
        command: 'announce',
        workerId,
        namespace: 'default',
        announcement,
        insists: false,
      })
      engine.state.registry.submit({ command: 'announced', workerId })
      return puppet
    },
  }
}
