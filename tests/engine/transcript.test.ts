/** The conversation of `protocol.md` 13, message by message, as a golden transcript. */
import { expect, test } from 'bun:test'
import { decodeJson } from '../../src/protocol/json/decode.ts'
import { encodeJson } from '../../src/protocol/json/encode.ts'
import type { LinkReceiver } from '../../src/protocol/link.ts'
import { createRecordingLink } from '../support/fakes.ts'
import { createWorld } from '../support/world.ts'

/** Worker A ("orders") provides a trigger type and a function; worker B ("audit", announces last) binds to it. */
const TRANSCRIPT = `
E->A {"type":"workerregistered","worker_id":"A1","reattach_token":"TA1"}
A->E {"type":"invokefunction","function_id":"engine::workers::register","data":{"name":"orders"},"action":{"type":"void"},"namespace":"default"}
A->E {"type":"registertriggertype","id":"my::tick","description":"ticks"}
A->E {"type":"registerfunction","id":"orders::create"}
E->B {"type":"workerregistered","worker_id":"B1","reattach_token":"TB1"}
B->E {"type":"registerfunction","id":"audit::log"}
B->E {"type":"registertrigger","id":"T1","trigger_type":"my::tick","function_id":"audit::log","config":{"every":5},"namespace":"default"}
B->E {"type":"invokefunction","function_id":"engine::workers::register","data":{"name":"audit"},"action":{"type":"void"},"namespace":"default"}
E->A {"type":"registertrigger","id":"T1","trigger_type":"my::tick","function_id":"audit::log","config":{"every":5}}
A->E {"type":"triggerregistrationresult","id":"T1","trigger_type":"my::tick","function_id":"audit::log"}
B->E {"type":"invokefunction","invocation_id":"c2a40000-0000-4000-8000-000000000001","function_id":"orders::create","data":{"n":1},"namespace":"default"}
E->A {"type":"invokefunction","invocation_id":"c2a40000-0000-4000-8000-000000000001","function_id":"orders::create","data":{"n":1,"_caller_worker_id":"B1"}}
A->E {"type":"invocationresult","invocation_id":"c2a40000-0000-4000-8000-000000000001","function_id":"orders::create","result":{"ok":true}}
E->B {"type":"invocationresult","invocation_id":"c2a40000-0000-4000-8000-000000000001","function_id":"orders::create","result":{"ok":true}}
A->E {"type":"invokefunction","function_id":"audit::log","data":{"tick":1},"action":{"type":"void"},"namespace":"default"}
E->B {"type":"invokefunction","invocation_id":"I1","function_id":"audit::log","data":{"tick":1,"_caller_worker_id":"A1"}}
B->E {"type":"invocationresult","invocation_id":"I1","function_id":"audit::log"}
-- B loses its socket --
E->A {"type":"unregistertrigger","id":"T1","trigger_type":"my::tick"}
-- B reconnects --
E->B {"type":"workerregistered","worker_id":"B2","reattach_token":"TB2"}
B->E {"type":"reattach","previous_worker_id":"B1","reattach_token":"TB1"}
B->E {"type":"registerfunction","id":"audit::log"}
B->E {"type":"registertrigger","id":"T1","trigger_type":"my::tick","function_id":"audit::log","config":{"every":5},"namespace":"default"}
B->E {"type":"invokefunction","function_id":"engine::workers::register","data":{"name":"audit"},"action":{"type":"void"},"namespace":"default"}
E->A {"type":"registertrigger","id":"T1","trigger_type":"my::tick","function_id":"audit::log","config":{"every":5}}
`

const lines = TRANSCRIPT.trim().split('\n')

/** Plays what the workers say and writes down everything, in the order in which it happens. */
function play(): string[] {
  const world = createWorld()
  const heard: string[] = []
  const receivers = new Map<string, LinkReceiver>()
  /** Readable names of the engine's ids, and the ids behind them. */
  const names = new Map<string, string>()
  const counts = new Map<string, number>()

  const named = (text: string): string =>
    [...names].reduce((result, [id, name]) => result.replaceAll(`"${id}"`, `"${name}"`), text)
  const unnamed = (text: string): string =>
    [...names].reduce((result, [id, name]) => result.replaceAll(`"${name}"`, `"${id}"`), text)

  function connect(worker: string): void {
    const count = (counts.get(worker) ?? 0) + 1
    counts.set(worker, count)
    const link = createRecordingLink()
    link.send = frame => {
      if (frame.type === 'workerregistered') {
        names.set(frame.workerId, `${worker}${count}`)
        names.set(frame.reattachToken, `T${worker}${count}`)
      } else if (
        frame.type === 'invokefunction' &&
        !lines.some(line => line.includes(String(frame.invocationId)))
      ) {
        names.set(String(frame.invocationId), 'I1')
      }
      heard.push(`E->${worker} ${named(encodeJson(frame))}`)
    }
    receivers.set(worker, world.engine.connect(link, { builtIn: false, ipAddress: undefined }).receiver)
  }

  for (const line of lines) {
    const [, worker, what] = /^(?:-- )?(\w)(?:->E)? (.*?)(?: --)?$/.exec(line) ?? []
    if (line.includes('"workerregistered"')) connect(line.charAt(3))
    else if (what === undefined || line.startsWith('E->')) continue
    else if (what === 'loses its socket') {
      heard.push(line)
      receivers.get(worker!)!.ended()
    } else if (line.startsWith('--')) heard.push(line)
    else {
      heard.push(line)
      const frame = decodeJson(unnamed(what))
      if (frame === undefined || frame.type === 'problem') throw new Error(`not a message: ${line}`)
      receivers.get(worker!)!.receive(frame)
    }
  }
  return heard
}

test('the transcript of the specification is what the engine says', () => {
  expect(play()).toEqual(lines)
})
