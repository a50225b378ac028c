/** Which patterns match which topics (`docs/pubsub.md#topics`). */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { createTopicTable, splitTopic } from '../../../workers/pubsub/topics.ts'
import { holds } from '../../support/fuzz.ts'

const SEPARATORS = '.:/'

/** The rules again, one part after the other. */
function matches(pattern: string, topic: string, separators: string): boolean {
  const wanted = splitTopic(pattern, separators)
  const given = splitTopic(topic, separators)
  for (const [index, { separator, text }] of wanted.entries()) {
    const part = given[index]
    if (part?.separator !== separator) return false
    const isLast = index === wanted.length - 1
    if (text === '>' && isLast) return given.length > wanted.length || part.text !== ''
    if (text === '*' ? part.text === '' : part.text !== text) return false
  }
  return given.length === wanted.length
}

function found(pattern: string, topic: string, separators = SEPARATORS): boolean {
  const table = createTopicTable<number>(separators)
  table.add(pattern, 1)
  return table.match(topic).length === 1
}

test.each([
  ['orders.created', 'orders.created', true],
  ['orders.created', 'orders.created.eu', false],
  ['orders.*', 'orders.created', true],
  ['orders.*', 'orders.eu.created', false],
  ['orders.*', 'orders', false],
  ['orders.*', 'orders.', false],
  ['orders.*', 'orders/created', false],
  ['*.created', 'orders.created', true],
  ['*', 'orders', true],
  ['*', 'orders.created', false],
  ['orders.*.created', 'orders.eu.created', true],
  ['orders.>', 'orders.created', true],
  ['orders.>', 'orders.eu.created', true],
  ['orders.>', 'orders.eu/created', true],
  ['orders.>', 'orders', false],
  ['orders.>', 'orders.', false],
  ['orders/>', 'orders/a', true],
  ['orders:*', 'orders:a', true],
  ['>', 'anything.at.all', true],
  ['a.>.b', 'a.x.b', false],
  ['a.>.b', 'a.>.b', true],
  ['ord*', 'orders', false],
  ['ord*', 'ord*', true],
])('%s and %s: %p', (pattern, topic, expected) => {
  expect(found(pattern, topic)).toBe(expected)
  expect(matches(pattern, topic, SEPARATORS)).toBe(expected)
})

test('only the separators of the settings separate', () => {
  expect(found('orders/*', 'orders/a', '.')).toBe(false)
  expect(found('a.*', 'a.b/c', '.')).toBe(true)
  expect(found('a.*', 'a.b/c', './')).toBe(false)
})

test('the table finds what looking at every pattern finds, whatever was added and removed', () => {
  const part = fc.constantFrom('a', 'b', '*', '>', '', 'ab')
  const text = fc
    .array(fc.tuple(part, fc.constantFrom('.', ':', '/', '.')), { minLength: 1, maxLength: 5 })
    .map(parts => parts.map(([name, separator], index) => (index === 0 ? name : separator + name)).join(''))
  holds(
    [
      fc.array(text, { maxLength: 12 }),
      fc.array(text, { maxLength: 6 }),
      fc.array(fc.nat(11), { maxLength: 8 }),
    ],
    (patterns, topics, removed) => {
      const table = createTopicTable<number>(SEPARATORS)
      const left = new Map<number, string>(patterns.entries())
      for (const [index, pattern] of patterns.entries()) table.add(pattern, index)
      for (const index of removed) {
        if (patterns[index] !== undefined) table.remove(patterns[index], index)
        left.delete(index)
      }
      for (const topic of topics) {
        const expected = [...left].filter(([, pattern]) => matches(pattern, topic, SEPARATORS))
        expect(table.match(topic).sort((a, b) => a - b)).toEqual(expected.map(([index]) => index))
      }
      for (const [index, pattern] of left) table.remove(pattern, index)
      for (const topic of topics) expect(table.match(topic)).toEqual([])
    },
  )
})

test('a topic of very many parts is matched', () => {
  const topic = Array.from({ length: 512 }, () => 'a').join('.')
  expect(found(topic.replaceAll('a', '*'), topic)).toBe(true)
  expect(found('>', topic)).toBe(true)
})
