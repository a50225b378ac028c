/** Payloads between JSON text and msgpack: what is exact, for any value. Single rules are in the vectors. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { FieldProblem } from '../../../src/protocol/fieldProblem.ts'
import { sendableFault } from '../../../src/protocol/json/scan.ts'
import { jsonToMsgpack } from '../../../src/protocol/msgpack/fromJson.ts'
import { CODEC_JSON } from '../../../src/protocol/msgpack/layout.ts'
import { createOutBuffer } from '../../../src/protocol/msgpack/outBuffer.ts'
import { payloadToJson } from '../../../src/protocol/msgpack/payload.ts'
import { msgpackToJson, PAYLOAD_DEPTH } from '../../../src/protocol/msgpack/toJson.ts'
import { holds, repeatedly } from '../../support/fuzz.ts'
import { exactPackr, packr, toHex, written } from './support.ts'

const isSendableJson = (json: string): boolean => sendableFault(json) === undefined
const toMsgpack = (json: string): Uint8Array => written(out => jsonToMsgpack(json, out))
const toJson = (bytes: Uint8Array): string => msgpackToJson(bytes, 0, bytes.length)

/** JSON values without duplicate keys, as their text. */
const jsonText = fc
  .jsonValue({ maxDepth: 5, noUnicodeString: false })
  .map(value => JSON.stringify(value))
  .filter(isSendableJson)

describe('JSON → msgpack', () => {
  test('gives msgpackr the value that JSON.parse gives', () => {
    holds(
      [jsonText],
      json => {
        // msgpackr gives this key another name; the vectors have a test of it.
        fc.pre(!json.includes('"__proto__"'))
        expect(packr.unpack(toMsgpack(json))).toEqual(JSON.parse(json))
      },
      2,
    )
  })

  test('takes the shortest form, as msgpackr does', () => {
    const value = fc.letrec(tie => ({
      value: fc.oneof(
        fc.constantFrom(null, true, false),
        fc.integer(),
        fc.string({ unit: 'grapheme' }),
        fc.array(tie('value'), { maxLength: 20 }),
        fc.dictionary(fc.string({ unit: 'grapheme' }), tie('value'), { maxKeys: 20, noNullPrototype: true }),
      ),
    })).value
    holds(
      [value],
      value => {
        const json = JSON.stringify(value)
        fc.pre(!json.includes('"__proto__"'))
        expect(toHex(toMsgpack(json))).toBe(toHex(packr.pack(JSON.parse(json))))
      },
      2,
    )
  })

  test('has room for as many elements as there are', () => {
    for (const count of [65_535, 65_536, 70_000]) {
      const array = JSON.stringify(Array(count).fill(0))
      expect(packr.unpack(toMsgpack(array))).toHaveLength(count)
      const members = Array.from({ length: count }, (_, i) => `"${i}":0`)
      expect(Object.keys(packr.unpack(toMsgpack(`{${members.join(',')}}`)) as object)).toHaveLength(count)
    }
  })

  test('appends nothing when it fails', () => {
    const out = createOutBuffer()
    jsonToMsgpack('[1,2]', out)
    expect(() => jsonToMsgpack('[1,2,"x",1e400]', out)).toThrow(FieldProblem)
    expect(toHex(out.bytes.subarray(0, out.length))).toBe('920102')
  })

  test('accepts what JSON.parse accepts, but for what has no form', () => {
    const alphabet = [
      ...'{}[]:,"\\ \n0123456789-+.eEtrufalsn',
      'null',
      'true',
      '\\u00e9',
      '"a"',
      '"b":',
      '[1]',
    ]
    repeatedly(random => {
      let text = ''
      for (let n = random.between(1, 8); n > 0; n--) text += alphabet[random.between(0, alphabet.length)]
      let valid = true
      try {
        JSON.parse(text)
      } catch {
        valid = false
      }
      let reason = ''
      try {
        toMsgpack(text)
      } catch (problem) {
        if (!(problem instanceof FieldProblem)) throw problem
        reason = problem.reason
      }
      if (valid) expect([text, reason]).not.toEqual([text, 'invalid_json'])
      else expect([text, reason]).not.toEqual([text, ''])
    }, 2)
  })
})

describe('a payload that is JSON already', () => {
  const decoded = (json: string): string => {
    const bytes = new TextEncoder().encode(json)
    return payloadToJson(CODEC_JSON, bytes, 0, bytes.length)
  }
  const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)

  test('keeps every character', () => {
    const json = ' {"big":9007199254740993,"one":1.0,"\\u00fc":"ü","a":[1,1],"a":2} '
    expect(decoded(json)).toBe(json)
  })

  test('may have as many levels as fit into a message, and no more', () => {
    expect(decoded(nested(PAYLOAD_DEPTH))).toBe(nested(PAYLOAD_DEPTH))
    expect(() => decoded(nested(PAYLOAD_DEPTH + 1))).toThrow(expect.objectContaining({ reason: 'too_deep' }))
  })

  test.each([['1e400'], ['"\\ud800"'], ['{"a":1e400}']])('must be readable for all: %s', json => {
    expect(() => decoded(json)).toThrow(expect.objectContaining({ reason: 'untranslatable' }))
  })
})

describe('msgpack → JSON', () => {
  test('and back is the same bytes, for all that JSON can say', () => {
    holds(
      [jsonText],
      json => {
        const bytes = toMsgpack(json)
        const text = toJson(bytes)
        expect(JSON.parse(text)).toEqual(JSON.parse(json))
        expect(toHex(toMsgpack(text))).toBe(toHex(bytes))
      },
      2,
    )
  })

  test('keeps every digit of an integer of 64 bits, both ways', () => {
    const integer = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n })
    holds([integer], value => {
      expect(toJson(exactPackr.pack(value))).toBe(String(value))
      expect(toJson(toMsgpack(String(value)))).toBe(String(value))
    })
  })

  test('keeps every double, and that it is one', () => {
    holds([fc.double({ noNaN: true, noDefaultInfinity: true })], value => {
      const bytes = new Uint8Array(9)
      bytes[0] = 0xcb
      new DataView(bytes.buffer).setFloat64(1, value)
      const json = toJson(bytes)
      expect(Number(json)).toBe(value)
      expect(json).toMatch(/[.e]/)
      expect(toHex(toMsgpack(json))).toBe(toHex(bytes))
    })
  })

  test('gives every time msgpackr can write in RFC 3339', () => {
    const date = fc.date({
      min: new Date('0001-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59Z'),
      noInvalidDate: true,
    })
    holds([date], date => {
      expect(toJson(packr.pack(date))).toBe(JSON.stringify(date).replace('.000Z', 'Z'))
    })
  })

  test('gives JSON that every receiver can read, or says why not', () => {
    holds(
      [fc.uint8Array({ maxLength: 40 })],
      array => {
        try {
          expect(isSendableJson(toJson(Uint8Array.from(array)))).toBe(true)
        } catch (problem) {
          if (!(problem instanceof FieldProblem)) throw problem
          expect(problem.detail).toMatch(/^(byte \d+ of the payload: |the payload is not exactly)/)
        }
      },
      2,
    )
  })

  test('of a value whose parts were changed gives JSON or says why not', () => {
    repeatedly(random => {
      const bytes = toMsgpack('{"a":[1,2.5,"text",{"b":null}],"c":12345678901234567890,"d":"é"}')
      for (let n = random.between(1, 4); n > 0; n--)
        bytes[random.between(0, bytes.length)] = random.between(0, 256)
      try {
        expect(isSendableJson(toJson(bytes))).toBe(true)
      } catch (problem) {
        if (!(problem instanceof FieldProblem)) throw problem
      }
    }, 2)
  })
})
