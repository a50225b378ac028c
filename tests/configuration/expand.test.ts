// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders are the subject
/** Placeholders. */
import { describe, expect, test } from 'bun:test'
import { type Environment, expandValue, readScalar } from '../../workers/configuration/expand.ts'
import type { Json } from '../../workers/configuration/json.ts'

const env: Environment = { HOST: 'db', EMPTY: '', N: '5', __proto__X: 'x' }
const expand = (value: Json, masked = false) => expandValue(value, { env, masked, mostCharacters: 100 })

test.each([
  ['3112', 3112],
  ['-1.5e3', -1500],
  ['0x1f', 31],
  ['0o17', 15],
  ['017', 17],
  [' 5 ', 5],
  ['null', null],
  ['~', null],
  ['True', true],
  ['FALSE', false],
  ['yes', 'yes'],
  ['"5"', '5'],
  ["'it''s'", "it's"],
  ['"broken', '"broken'],
  ['12345678901234567890', '12345678901234567890'],
  ['1e999', '1e999'],
  ['.inf', '.inf'],
  ['pass # word', 'pass # word'],
  ['5 # five', '5 # five'],
  ['a: b', 'a: b'],
  ['[1]', '[1]'],
  ['*alias', '*alias'],
  ['!!int 5', '!!int 5'],
  ['2026-01-01', '2026-01-01'],
  ['  text ', '  text '],
] as [string, Json][])('the text %j is read as %j', (text, value) => {
  expect(readScalar(text)).toEqual(value)
})

describe('a string', () => {
  test.each([
    ['${HOST}', 'db'],
    ['${N}', 5],
    ['${EMPTY}', ''],
    ['${NONE:}', ''],
    ['${NONE:a:b}', 'a:b'],
    ['x${N}', 'x5'],
    ['${HOST}${N}', 'db5'],
    ['$${N}', '${N}'],
    ['$$${N}', '$${N}'],
    ['${}', '${}'],
    ['${N', '${N'],
    ['$N', '$N'],
    ['__III_ENGINE_VERSION__', '__III_ENGINE_VERSION__'],
  ] as [string, Json][])('%s becomes %j', (text, value) => {
    expect(expand(text)).toEqual({ value, missing: [], isTooLarge: false })
  })

  test.each([
    ['${HOST}', '***'],
    ['x${N}', 'x***'],
    ['${NONE:5}', 5],
    ['$${N}', '${N}'],
  ] as [string, Json][])('%s is shown as %j', (text, value) => {
    expect(expand(text, true).value).toEqual(value)
  })

  test('does not reach what every object has', () => {
    expect(expand({ a: '${constructor}', b: ['${toString} ${__proto__}'] }).missing).toEqual([
      'constructor',
      'toString',
      '__proto__',
    ])
  })

  test('may not become too large', () => {
    expect(expand('${NONE:xxxxxxxxxxxxxxxxxxxx}'.repeat(5)).isTooLarge).toBe(false)
    expect(expand('${NONE:xxxxxxxxxxxxxxxxxxxx}'.repeat(6)).isTooLarge).toBe(true)
  })
})

test('keys are not expanded, and keep their names', () => {
  const value = JSON.parse('{"${N}":"${N}","__proto__":{"a":"${N}"}}') as Json
  expect(JSON.stringify(expand(value).value)).toBe('{"${N}":5,"__proto__":{"a":5}}')
})
