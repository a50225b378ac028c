/**
 * Times one step with mitata: `bun micro.ts '{"name":"scan-small","milliseconds":300}'`. Prints mitata's median in
 * nanoseconds. One step per process: code that has seen other inputs before is compiled differently.
 */
import { do_not_optimize, measure } from 'mitata'
import { createClient } from '../../sdk/typescript/src/client.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { createEngine } from '../../src/engine/engine.ts'
import { createLocalLink } from '../../src/engine/links/local.ts'
import type { Log } from '../../src/log/log.ts'
import { type Frame, newCall } from '../../src/protocol/frames.ts'
import { decodeJson } from '../../src/protocol/json/decode.ts'
import { encodeJson } from '../../src/protocol/json/encode.ts'
import { createObjectScanner } from '../../src/protocol/json/scan.ts'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import type { Link, LinkReceiver } from '../../src/protocol/link.ts'
import { createInvocationIds } from '../../src/protocol/uuid.ts'
import { createLocalTransport } from '../../src/threads/localTransport.ts'
import type { MicroName, MicroOptions } from '../suites/micro.ts'
import { msgpackSteps } from './msgpackSteps.ts'
import { idPrefix, idSuffix, REQUEST, RESULT } from './wire.ts'

const { name, milliseconds } = JSON.parse(process.argv[2]!) as MicroOptions

const LARGE_ITEMS = 500
const FUNCTION_ID = 'bench::echo'
/** Calls under way at once where a step is a batch; the value is per call. */
const BATCH = 256

const silent = (): void => {}
const log: Log = { debug: silent, info: silent, warn: silent, error: silent }

const largeData = `{"orders":[${Array.from({ length: LARGE_ITEMS }, () => REQUEST).join(',')}]}`
const callText = (data: string): string =>
  `{"type":"invokefunction","invocation_id":"${idPrefix(0)}${idSuffix(0, 0)}","function_id":"${FUNCTION_ID}","data":${data}}`
const texts = { small: callText(REQUEST), large: callText(largeData) }
const frames = { small: decodeJson(texts.small) as Frame, large: decodeJson(texts.large) as Frame }
const values = { small: JSON.parse(texts.small), large: JSON.parse(texts.large) }
/** Texts are made of joined pieces until someone reads them; writing bytes is part of encoding, as on a socket. */
const encoder = new TextEncoder()
const bytes = new Uint8Array(2 * texts.large.length)
const scanner = createObjectScanner(['type', 'invocation_id', 'function_id', 'data'])

interface Step {
  run(): unknown
  /** How many of what is timed one run does. */
  readonly per: number
}

const step = (run: () => unknown): Step => ({ run: () => do_not_optimize(run()), per: 1 })

const newEngine = () => createEngine({ clock: systemClock, log, randomId: () => crypto.randomUUID() })

/** A link whose far side is a function, called at once: what remains is the router. */
function directLink(far: (frame: Frame) => void): Link {
  return {
    framing: 'json',
    batch: undefined,
    send: far,
    backlog: () => 0,
    pause: silent,
    resume: silent,
    end: silent,
  }
}

/** An engine with a caller and a worker that answers at once; `answered` gets what the caller would receive. */
function directEngine(toWorker: (frame: Frame) => void, toCaller: (frame: Frame) => void) {
  const engine = newEngine()
  const origin = { builtIn: true, ipAddress: undefined }
  const worker = engine.connect(directLink(toWorker), origin).receiver
  const caller = engine.connect(directLink(toCaller), origin).receiver
  const registration = decodeJson(JSON.stringify({ type: 'registerfunction', id: FUNCTION_ID })) as Frame
  worker.receive(registration)
  return { worker, caller }
}

/** Both frames of a call through the router, as objects. */
function routeCall(): Step {
  let done = 0
  let number = 0
  const { worker, caller }: { worker: LinkReceiver; caller: LinkReceiver } = directEngine(
    frame => {
      if (frame.type !== 'invokefunction') return
      worker.receive({
        type: 'invocationresult',
        invocationId: frame.invocationId!,
        functionId: frame.functionId,
        result: asJsonText(RESULT),
        error: undefined,
        traceparent: undefined,
        baggage: undefined,
      })
    },
    frame => {
      if (frame.type === 'invocationresult' && frame.error === undefined) done++
    },
  )
  return checked(
    () => {
      caller.receive(newCall(FUNCTION_ID, asJsonText(REQUEST), idPrefix(0) + idSuffix(number++, 0)))
    },
    () => done,
  )
}

/** The same from text to text: two frames decoded, routed and encoded, no socket. */
function routeTextCall(): Step {
  let done = 0
  let number = 0
  const { worker, caller }: { worker: LinkReceiver; caller: LinkReceiver } = directEngine(
    frame => {
      const text = encodeJson(frame)
      if (frame.type !== 'invokefunction') return
      do_not_optimize(text)
      worker.receive(decodeJson(`${ANSWER_HEAD}${frame.invocationId}${ANSWER_TAIL}`) as Frame)
    },
    frame => {
      do_not_optimize(encodeJson(frame))
      if (frame.type === 'invocationresult' && frame.error === undefined) done++
    },
  )
  const head = `{"type":"invokefunction","invocation_id":"${idPrefix(0)}`
  const tail = `","function_id":"${FUNCTION_ID}","data":${REQUEST}}`
  return checked(
    () => caller.receive(decodeJson(head + idSuffix(number++, 0) + tail) as Frame),
    () => done,
  )
}

const ANSWER_HEAD = '{"type":"invocationresult","invocation_id":"'
const ANSWER_TAIL = `","function_id":"${FUNCTION_ID}","result":${RESULT}}`

/** A step that proves once that it does what its name says; a router that refuses is fast. */
function checked(run: () => void, done: () => number): Step {
  const before = done()
  run()
  if (done() !== before + 1) throw new Error('the call was not answered')
  return { run, per: 1 }
}

/** A call from one built-in worker to another: client, local link, router, local link, handler, and back. */
async function localCall(): Promise<Step> {
  const engine = newEngine()
  const [worker, caller] = [newClient(), newClient()]
  function newClient() {
    const [engineSide, workerSide] = createLocalLink()
    engineSide.listen(engine.connect(engineSide, { builtIn: true, ipAddress: undefined }).receiver)
    return createClient({
      transport: createLocalTransport(workerSide),
      clock: systemClock,
      newId: createInvocationIds(() => crypto.randomUUID()),
    })
  }
  await Promise.all([worker.ready(), caller.ready()])
  worker.registerFunction(FUNCTION_ID, () => ANSWER)
  const call = () => caller.trigger({ function_id: FUNCTION_ID, payload: values.small.data })
  const answer = JSON.stringify(await call())
  if (answer !== JSON.stringify(ANSWER)) throw new Error(`the answer is ${answer}`)
  return { run: () => Promise.all(Array.from({ length: BATCH }, call)), per: BATCH }
}

const ANSWER = { ok: true, name: 'echo', items: [1, 2, 3, 4] }

const steps: Record<MicroName, () => Step | Promise<Step>> = {
  'scan-small': () => step(() => scanner.scan(texts.small)),
  'scan-large': () => step(() => scanner.scan(texts.large)),
  'decode-small': () => step(() => decodeJson(texts.small)),
  'decode-large': () => step(() => decodeJson(texts.large)),
  'json-parse-small': () => step(() => JSON.parse(texts.small)),
  'json-parse-large': () => step(() => JSON.parse(texts.large)),
  'encode-small': () => step(() => encoder.encodeInto(encodeJson(frames.small), bytes)),
  'encode-large': () => step(() => encoder.encodeInto(encodeJson(frames.large), bytes)),
  'json-stringify-small': () => step(() => encoder.encodeInto(JSON.stringify(values.small), bytes)),
  'json-stringify-large': () => step(() => encoder.encodeInto(JSON.stringify(values.large), bytes)),
  'route-call': routeCall,
  'route-text-call': routeTextCall,
  'local-call': localCall,
  ...msgpackSteps(FUNCTION_ID, REQUEST, RESULT, BATCH),
}

const { run, per } = await steps[name]()
const { p50 } = await measure(run, { min_cpu_time: milliseconds * 1e6 })
console.log(p50 / per)
process.exit(0)
