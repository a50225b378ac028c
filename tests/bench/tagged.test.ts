import { describe, expect, test } from 'bun:test'
import { createCopyCounter, createTagReader, taggedMessage } from '../../bench/clients/tagged.ts'

describe('tagged messages', () => {
  const found: [number, number][] = []
  const reader = createTagReader((call, place) => found.push([call, place]))

  test('are JSON', () => {
    expect(JSON.parse(taggedMessage(7, 3)).m).toBe('000000007:0003')
  })

  test('are read wherever the tag lies, in text and in bytes', () => {
    found.length = 0
    for (const before of ['', '', '{"event":{"data":', '{"event":{"data":', '']) {
      const text = `${before}${taggedMessage(found.length + 100, 42)}`
      const bytes = Buffer.from(`xx${text}yy`)
      expect(reader.read(bytes, 2, bytes.length - 2)).toBe(true)
      expect(reader.readText(text)).toBe(true)
    }
    expect(found.map(([call]) => call)).toEqual([100, 100, 102, 102, 104, 104, 106, 106, 108, 108])
    expect(found.every(([, place]) => place === 42)).toBe(true)
  })

  test('others are none, also in front of one that is', () => {
    found.length = 0
    const other = Buffer.from('{"type":"sync","data":[]}')
    const both = Buffer.concat([other, Buffer.from(taggedMessage(1, 1))])
    expect(reader.read(both, 0, other.length)).toBe(false)
    expect(reader.readText(other.toString())).toBe(false)
    expect(found).toEqual([])
  })
})

describe('counting copies', () => {
  test('a message is complete when it has come to everybody', () => {
    const complete: number[] = []
    const counter = createCopyCounter(4, 3, (place, call) => complete.push(place, call))
    counter.sent(1, 10)
    counter.came(10, 1)
    counter.came(10, 1)
    expect(complete).toEqual([])
    counter.came(10, 1)
    expect(complete).toEqual([1, 10])
    expect(counter.strange()).toBe(0)
  })

  test('copies too many, and copies of nothing under way, are strange', () => {
    const counter = createCopyCounter(4, 1, () => {})
    counter.sent(1, 10)
    counter.came(10, 1)
    counter.came(10, 1)
    counter.came(9, 1)
    counter.came(9, 2)
    expect(counter.strange()).toBe(3)
  })
})
