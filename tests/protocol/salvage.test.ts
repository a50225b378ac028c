import { describe, expect, test } from 'bun:test'
import { decodeJson } from '../../src/protocol/json/decode.ts'

const ID = 'cac6a5a6-0000-4000-8000-0000000000aa'

describe('a message that is not JSON', () => {
  test.each([
    [
      'a Python result with NaN',
      `{"invocation_id": "${ID}", "function_id": "f", "result": {"x": NaN}, "type": "invocationresult"}`,
    ],
    [
      'a compact one with Infinity',
      `{"invocation_id":"${ID}","function_id":"f","result":[-Infinity],"type":"invocationresult"}`,
    ],
    [
      'one with its type first',
      `{"type":"invocationresult","invocation_id":"${ID}","function_id":"f","result":NaN}`,
    ],
  ])('names its call: %s', (_, text) => {
    expect(decodeJson(text)).toEqual({
      type: 'problem',
      reason: 'invalid_json',
      detail: 'the message is not valid JSON (it contains NaN or Infinity)',
      about: 'invocationresult',
      invocationId: ID,
      functionId: 'f',
    })
  })

  test('names its call also when the payload is long and the header stands behind it', () => {
    const result = `{"x": NaN, "text": "${'x'.repeat(100_000)}"}`
    expect(
      decodeJson(`{"result": ${result}, "type": "invocationresult", "invocation_id": "${ID}"}`),
    ).toMatchObject({
      about: 'invocationresult',
      invocationId: ID,
      functionId: undefined,
    })
  })

  test('names a call that was cut off', () => {
    expect(
      decodeJson(`{"type":"invokefunction","invocation_id":"${ID}","function_id":"f","data":{"a`),
    ).toMatchObject({
      about: 'invokefunction',
      invocationId: ID,
      functionId: 'f',
      detail: 'the message is not valid JSON',
    })
  })

  test('names a call that is nested too deeply', () => {
    const text = `{"type":"invokefunction","invocation_id":"${ID}","function_id":"f","data":${'['.repeat(200)}${']'.repeat(200)}}`
    expect(decodeJson(text)).toMatchObject({ reason: 'too_deep', about: 'invokefunction', invocationId: ID })
  })

  test.each([
    ['other types', `{"type":"registerfunction","invocation_id":"${ID}","id":NaN}`],
    ['no type', `{"invocation_id":"${ID}","result":NaN}`],
    ['nothing readable', '\u0000\u0001\u0002'],
  ])('names nobody: %s', (_, text) => {
    expect(decodeJson(text)).toMatchObject({ type: 'problem', about: undefined, invocationId: undefined })
  })

  test.each(['', 'x', '0'.repeat(40)])('has no id in %j', id => {
    const text = `{"type":"invocationresult","invocation_id":"${id}","result":NaN}`
    expect(decodeJson(text)).toMatchObject({ about: 'invocationresult', invocationId: undefined })
  })

  test('is looked at in no time, however large it is', () => {
    const hard = [
      '"type" : '.repeat(500_000),
      `[${' '.repeat(4_000_000)}`,
      ',\n'.repeat(2_000_000),
      `{"invocation_id":${' '.repeat(4_000_000)}`,
      `"type":"invocationresult","invocation_id":"${'a'.repeat(4_000_000)}`,
    ]
    for (const text of hard) {
      const started = performance.now()
      expect(decodeJson(text)).toMatchObject({ type: 'problem' })
      expect(performance.now() - started, text.slice(0, 20)).toBeLessThan(500)
    }
  })
})
