/** Frames that are passed on: copied from one link's message into another link's buffer under another call id. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { limits } from '../../../src/protocol/limits.ts'
import { encodeExtras, NO_EXTRAS, readExtras } from '../../../src/protocol/msgpack/extras.ts'
import { CODEC_MSGPACK, FAILURE, RESULT } from '../../../src/protocol/msgpack/layout.ts'
import { clear, createOutBuffer } from '../../../src/protocol/msgpack/outBuffer.ts'
import { NO_CALL_ID } from '../../../src/protocol/msgpack/reader.ts'
import {
  copyCall,
  copyFrame,
  writeAnswer,
  writeCall,
  writeCancel,
} from '../../../src/protocol/msgpack/writeCall.ts'
import { holds } from '../../support/fuzz.ts'
import frames from '../../vectors/msgpack/frames.json'
import lenient from '../../vectors/msgpack/lenient.json'
import { callId, text } from './frames.ts'
import { fromHex, packr, readerOn, toHex, walk, written } from './support.ts'

const payloadOf = (bytes: Uint8Array) =>
  ({ codec: CODEC_MSGPACK, bytes, start: 0, end: bytes.length }) as const
const anyId = fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), callId)
const bytes = fc.uint8Array({ maxLength: 300 }).map(array => Uint8Array.from(array))

describe('a frame passed on', () => {
  test('is the same but for its call id', () => {
    holds([text, bytes, anyId, anyId], (name, payload, from, to) => {
      const write = (id: number) => [
        written(out => writeCall(out, id, name, undefined, payloadOf(payload))),
        written(out => writeAnswer(out, RESULT, id, payloadOf(payload))),
        written(out => writeAnswer(out, FAILURE, id, undefined)),
        written(out => writeCancel(out, id)),
      ]
      const sources = write(from)
      write(to).forEach((expected, i) => {
        const copy = written(out => copyFrame(readerOn(sources[i]!), out, to))
        expect(toHex(copy)).toBe(toHex(expected))
      })
    })
  })

  const withIds = [...frames, ...lenient].filter(({ hex }) => /^(9.|dd000000.)(cc)?0[1-4]/.test(hex))

  test.each(withIds.map(vector => [vector.name, vector.hex] as const))(
    'keeps everything else, whatever its form: %s',
    (_, hex) => {
      const source = packr.unpack(fromHex(hex)) as unknown[]
      const copy = written(out => copyFrame(readerOn(fromHex(hex)), out, 0x12345678))
      expect(packr.unpack(copy)).toEqual([source[0], 0x12345678, ...source.slice(2)])
    },
  )

  test('that wants no answer gets none', () => {
    const source = written(out => writeCall(out, NO_CALL_ID, 'f', undefined, undefined))
    expect(toHex(written(out => copyFrame(readerOn(source), out, NO_CALL_ID)))).toBe(toHex(source))
    const wanted = written(out => writeCall(out, 65536, 'f', undefined, undefined))
    expect(toHex(written(out => copyFrame(readerOn(wanted), out, NO_CALL_ID)))).toBe(toHex(source))
  })

  test('is appended to what is there', () => {
    const out = createOutBuffer()
    const source = written(o =>
      writeCall(o, 70_000, 'orders::create', undefined, payloadOf(new Uint8Array(3000))),
    )
    for (let id = 65_536; id < 65_636; id++) copyFrame(readerOn(source), out, id)
    const { frames: read } = walk(out.bytes, 0, out.length)
    expect(read).toHaveLength(100)
  })
})

test('frames that grow by a longer call id find room, however full the buffer is', () => {
  const small = fromHex('950105a3616263c0c704016e756c6c')
  const out = createOutBuffer()
  for (let n = 0; n < 5000; n++) copyFrame(readerOn(small), out, 65_536 + n)
  const { frames: read, fault } = walk(out.bytes, 0, out.length)
  expect(fault).toBeUndefined()
  expect(read).toEqual(
    Array.from({ length: 5000 }, (_, n) =>
      expect.objectContaining({ invocationId: 65_536 + n, functionId: 'abc', data: 'null' }),
    ),
  )
})

describe('a call passed on with other extras', () => {
  const extras = encodeExtras({ ...NO_EXTRAS, caller: '5b0c', timeoutMs: 1500 })

  test('has those, and the function id and payload of the original', () => {
    holds([text, bytes, callId], (name, payload, id) => {
      const old = encodeExtras({ ...NO_EXTRAS, namespace: 'shop' })
      for (const before of [undefined, old]) {
        const source = written(out => writeCall(out, 65_536, name, before, payloadOf(payload)))
        const expected = written(out => writeCall(out, id, name, extras, payloadOf(payload)))
        expect(toHex(written(out => copyCall(readerOn(source), out, id, extras)))).toBe(toHex(expected))
      }
    })
  })

  test('leaves out elements of a later version', () => {
    const later = lenient.find(({ name }) => name === 'a call with elements of a later version')!
    const copy = written(out => copyCall(readerOn(fromHex(later.hex)), out, 65_537, undefined))
    expect(packr.unpack(copy)).toEqual([1, 65_537, 'f', null, expect.anything()])
  })

  test('of a call that had neither extras nor payload', () => {
    const copy = written(out => copyCall(readerOn(fromHex('9301ce00010000a166')), out, 65_537, extras))
    expect(readExtras(readerOn(copy))).toEqual({ ...NO_EXTRAS, caller: '5b0c', timeoutMs: 1500 })
    expect(packr.unpack(copy)).toEqual([1, 65_537, 'f', { caller: '5b0c', timeout_ms: 1500 }, null])
  })
})

describe('an out-buffer', () => {
  test('takes no memory until it is used, and gives back what a burst took', () => {
    const out = createOutBuffer()
    expect(out.bytes).toHaveLength(0)
    writeCancel(out, 65_536)
    clear(out)
    expect([out.length, out.bytes.length > 0]).toEqual([0, true])
    const large = new Uint8Array(limits.outBufferKeptBytes)
    writeAnswer(out, RESULT, 65_536, payloadOf(large))
    clear(out)
    expect([out.length, out.bytes.length]).toEqual([0, 0])
  })
})
