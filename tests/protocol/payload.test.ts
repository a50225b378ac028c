import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { CALLER_KEY, callerSuffix, withCaller, withoutCaller } from '../../src/protocol/payload.ts'
import { holds } from '../support/fuzz.ts'

const suffix = callerSuffix('W1')
const mark = '"_caller_worker_id":"W1"'

function spliced(data: string): string {
  return withCaller(asJsonText(data), suffix)
}

describe('the caller is added to an object', () => {
  test.each([
    ['{}', `{${mark}}`],
    ['{ }', `{${mark}}`],
    ['{\n\t}', `{${mark}}`],
    ['{"n":1}', `{"n":1,${mark}}`],
    ['{ "n" : 1 }', `{ "n" : 1 ,${mark}}`],
    ['{"a":"}"}', `{"a":"}",${mark}}`],
  ])('%j', (data, expected) => expect(spliced(data)).toBe(expected))

  test.each([
    '{"big":9007199254740993,"one":1.0,"e":1E2,"zero":-0}',
    '{"z":1,"a":2,"10":3,"2":4}',
    '{"s":"\\u00fc\\/\\ud83d\\ude00","t":"ü"}',
    '{"__proto__":{"x":1},"constructor":null}',
    '{"deep":{"_caller_worker_id":"kept"},"list":[{"_caller_worker_id":1}]}',
    '{"text":"\\"_caller_worker_id\\":1","_caller_worker_id2":1,"x_caller_worker_id":2}',
    '{"\\u00e9":1}',
  ])('%s, and nothing else in it changes', data => {
    expect(spliced(data)).toBe(`${data.slice(0, -1)},${mark}}`)
  })
})

describe('a forged caller is replaced', () => {
  const key = '"_caller_worker_id"'
  test.each([
    [`{${key}:"forged"}`, `{${mark}}`],
    [`{ ${key} : "forged" }`, `{${mark}}`],
    [`{${key}:"forged","n":1}`, `{"n":1,${mark}}`],
    [`{"n":1,${key}:"forged"}`, `{"n":1,${mark}}`],
    [`{"n":1,${key}:{"a":[1,2]},"m":2}`, `{"n":1,"m":2,${mark}}`],
    [`{"n":1 , ${key} :\n null , "m":2}`, `{"n":1  , "m":2,${mark}}`],
    ['{"\\u005fcaller_worker_id":"forged","n":1}', `{"n":1,${mark}}`],
    ['{"n":1.0,"_caller_worker_i\\u0064":9007199254740993}', `{"n":1.0,${mark}}`],
    [`{"a":{${key}:1},${key}:2}`, `{"a":{${key}:1},${mark}}`],
    ['{"q\\"":1,"_caller_worker_id":",}:\\""}', `{"q\\"":1,${mark}}`],
  ])('in %j', (data, expected) => expect(spliced(data)).toBe(expected))

  test('also when it stands there several times', () => {
    expect(JSON.parse(spliced(`{${key}:1,"n":1,"\\u005fcaller_worker_id":2,${key}:{}}`))).toEqual({
      n: 1,
      _caller_worker_id: 'W1',
    })
  })

  test('also when it stands there a hundred thousand times, in no time', () => {
    const data = `{${`${key}:1,`.repeat(100_000)}"n":1}`
    const started = performance.now()
    expect(spliced(data)).toBe(`{"n":1,${mark}}`)
    expect(performance.now() - started).toBeLessThan(1000)
  })

  test('in any object: every other member is as before, and the caller is there once', () => {
    const names = fc.constantFrom(CALLER_KEY, 'a', 'b"', '__proto__', 'é', 'x_caller_worker_id')
    const member = fc.tuple(names, fc.json({ maxDepth: 2 }))
    const space = fc.constantFrom('', ' ', '\n\t')
    holds([fc.uniqueArray(member, { selector: ([name]) => name, maxLength: 5 }), space], (members, blank) => {
      const text = `{${blank}${members.map(([name, value]) => `${JSON.stringify(name)}${blank}:${value}${blank}`).join(`,${blank}`)}}`
      const before = JSON.parse(text) as Record<string, unknown>
      delete before[CALLER_KEY]
      const after = spliced(text)
      expect(after.split(mark).length, text).toBe(2)
      const object = JSON.parse(after) as Record<string, unknown>
      delete object[CALLER_KEY]
      expect(object, text).toEqual(before)
    })
  })
})

test.each(['null', '[]', '[{"a":1}]', '"{}"', '17', 'true', '-1.50'])(
  '%s is no object and stays as it is',
  data => {
    expect(spliced(data)).toBe(data)
  },
)

test('the caller can be taken out again', () => {
  for (const data of ['{}', '{"n":1}', '{"n":1.0,"m":[{}]}'])
    expect<string>(withoutCaller(asJsonText(spliced(data)))).toBe(data)
  expect<string>(withoutCaller(asJsonText('{ "n" : 1 }'))).toBe('{ "n" : 1 }')
})
