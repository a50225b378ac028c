import { expect, test } from 'bun:test'
import { readQuery } from '../../workers/http/target.ts'
import { createRandom } from '../support/random.ts'

/** What the query means, found the slow way. */
function expected(search: string): unknown {
  const lists = new Map<string, string[]>()
  for (const [key, value] of new URLSearchParams(search)) lists.set(key, [...(lists.get(key) ?? []), value])
  const entries = [...lists]
  return {
    params: Object.fromEntries(entries.map(([key, list]) => [key, list.at(-1)])),
    multi: Object.fromEntries(entries.filter(([, list]) => list.length > 1)),
  }
}

function read(search: string): unknown {
  const { params, multi } = readQuery(search)
  return { params: JSON.parse(`{${params}}`), multi: JSON.parse(`{${multi}}`) }
}

test.each([
  '',
  '?',
  '?a=1',
  '?a=1&b=2',
  '?a',
  '?a&b=&=c',
  '?&&a=1&',
  '?a=1=2',
  '?a=1&a=2',
  '?:=:&x=:',
  '?a=%zz&b=+c',
  '?a="\\',
  '?a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9&j=10',
  '?é=ü',
])('%s means what URLSearchParams says', search => {
  expect(read(search)).toEqual(expected(search))
})

test('so does any other query', () => {
  const random = createRandom()
  const parts = [
    'a',
    'b',
    'ab',
    '=',
    '=',
    '&',
    '&',
    '%41',
    '%',
    '+',
    ':',
    ',',
    '"',
    '\\',
    '{',
    '?',
    'é',
    '\x7f',
  ]
  for (let round = 0; round < 20_000; round++) {
    let search = '?'
    for (let left = random.between(0, 16); left > 0; left--) search += parts[random.between(0, parts.length)]
    try {
      expect(read(search)).toEqual(expected(search))
    } catch (error) {
      throw new Error(`${search}, III_TEST_SEED=${random.seed}`, { cause: error })
    }
  }
})
