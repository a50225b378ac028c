import { expect, test } from 'bun:test'
import { editDistance, nearestName } from '../../src/log/nearest.ts'

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
