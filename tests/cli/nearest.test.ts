import { expect, test } from 'bun:test'
import { editDistance, nearestId, nearestMember, nearestName } from '../../src/log/nearest.ts'

test('distance counts inserts, deletes, replacements and swaps of neighbours', () => {
  expect(editDistance('', 'abc')).toBe(3)
  expect(editDistance('abc', '')).toBe(3)
  expect(editDistance('port', 'port')).toBe(0)
  expect(editDistance('prot', 'port')).toBe(1)
  expect(editDistance('kitten', 'sitting')).toBe(3)
})

test('the nearest name wins, whatever its case and separators', () => {
  expect(nearestName('bodyLimit', ['header_limit', 'body_limit'])).toBe('body_limit')
  expect(nearestName('hots', ['port', 'host'])).toBe('host')
  expect(nearestName('p', ['q'])).toBe('q')
})

test('a word that resembles nothing gets no suggestion', () => {
  expect(nearestName('xylophone', ['port', 'host'])).toBeUndefined()
  expect(nearestName('anything', [])).toBeUndefined()
  expect(nearestName('a'.repeat(100_000), ['a'.repeat(100_000)])).toBeUndefined()
})

test('an id without its prefix means the only one that ends with it, whatever is spelled alike', () => {
  const ids = ['iii::queue::redrive', 'queue::release', 'engine::queue::dlq_messages', 'a::greet', 'b::greet']
  expect(nearestId('queue::redrive', ids)).toBe('iii::queue::redrive')
  expect(nearestId('dlq_messages', ids)).toBe('engine::queue::dlq_messages')
  expect(nearestId('greet', ids)).toBeUndefined()
})

test('a member may be meant by its beginning', () => {
  expect(nearestMember('delay', ['delay_ms', 'data'])).toBe('delay_ms')
  expect(nearestMember('dedupe', ['dedupe_key', 'dedupe_window_ms'])).toBeUndefined()
})
