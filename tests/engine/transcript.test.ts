/** The conversation of `docs/protocol/json.md#a-conversation`, message by message, as a golden transcript. */
import { expect, test } from 'bun:test'
import { decodeJson } from '../../src/protocol/json/decode.ts'
import { encodeJson } from '../../src/protocol/json/encode.ts'
import type { LinkReceiver } from '../../src/protocol/link.ts'
import { fencedBlocks } from '../house/pageParts.ts'
import { createRecordingLink } from '../support/fakes.ts'
import { shards } from '../support/shape.ts'
import { createWorld } from '../support/world.ts'

const page = await Bun.file(new URL('../../docs/protocol/json.md', import.meta.url)).text()
const lines = fencedBlocks(page, 'text')
  .find(text => text.startsWith('E->A'))!
  .trim()
  .split('\n')

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

// Its calls go under the ids of their callers, which is so on one shard only.
test.skipIf(shards > 0)('the conversation on the page of the protocol is what the engine says', () => {
  expect(play()).toEqual(lines)
})
