import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { copyBytes, readName, readText, utf8Length } from '../../src/protocol/bytes.ts'
import { holds } from '../support/fuzz.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('bytes', () => {
  test('are copied, also within one buffer', () => {
    const target = new Uint8Array(6)
    copyBytes(Uint8Array.of(1, 2, 3, 4), 1, 3, target, 2)
    expect([...target]).toEqual([0, 0, 2, 3, 0, 0])
    copyBytes(target, 2, 5, target, 3)
    expect([...target]).toEqual([0, 0, 2, 2, 3, 0])
  })

  test('are copied from a buffer that begins in the middle of its memory', () => {
    const source = new Uint8Array(Uint8Array.of(9, 9, 1, 2, 3).buffer, 2)
    const target = new Uint8Array(3)
    copyBytes(source, 1, 3, target, 0)
    expect([...target]).toEqual([2, 3, 0])
  })
})

describe('text', () => {
  test.each([
    ['a byte order mark stays', [0xef, 0xbb, 0xbf, 0x61], '\ufeffa'],
    ['a stray continuation byte', [0x61, 0x80], undefined],
    ['half a surrogate pair', [0xed, 0xa0, 0x80], undefined],
    ['a long form of a short character', [0xc0, 0x80], undefined],
  ])('is read as strict UTF-8: %s', (_, bytes, text) => {
    expect(readText(Uint8Array.from(bytes), 0, bytes.length)).toBe(text)
    expect(readName(Uint8Array.from(bytes), 0, bytes.length)).toBe(text)
  })

  test('has the length it is written with', () => {
    holds([fc.string({ unit: 'binary' })], text => {
      expect(utf8Length(text)).toBe(encode(text).length)
    })
  })
})

describe('a name', () => {
  test('is read again and again, also when others with the same hash come between', () => {
    const names = Array.from({ length: 20_000 }, (_, i) => `service::function-${i}`)
    for (let round = 0; round < 2; round++) {
      for (const name of names) {
        const bytes = encode(`..${name}..`)
        expect(readName(bytes, 2, bytes.length - 2)).toBe(name)
      }
    }
  })

  test('does not change when the buffer it was read from does', () => {
    const bytes = encode('orders::create')
    const name = readName(bytes, 0, bytes.length)
    bytes.fill(0x78)
    expect([name, readName(bytes, 0, bytes.length)]).toEqual(['orders::create', 'x'.repeat(14)])
    expect(readName(encode('orders::create'), 0, 14)).toBe('orders::create')
  })

  test('may be long', () => {
    const name = 'é'.repeat(1000)
    const bytes = encode(name)
    expect([readName(bytes, 0, bytes.length), readName(bytes, 0, bytes.length)]).toEqual([name, name])
  })
})
