import { describe, expect, test } from 'bun:test'
import { limits } from '../../../src/protocol/limits.ts'
import {
  agree,
  type Hello,
  ownHello,
  readCredit,
  readHello,
  writeCredit,
  writeHello,
} from '../../../src/protocol/msgpack/hello.ts'
import { exactPackr, fromHex, readerOn, toHex, written } from './support.ts'

const read = (map: unknown) => readHello(readerOn(exactPackr.pack([0, map])))

describe('hello', () => {
  test('says what we are', () => {
    const hello = ownHello('iii/0.1.0', ['cancel', 'caller', 'deadline'])
    expect(readHello(readerOn(written(out => writeHello(out, hello))))).toEqual(hello)
    expect(hello.limits.messageBytes).toBe(limits.messageBytes)
  })

  test('needs nothing but versions; what is missing or senseless counts as ours', () => {
    const expected = { ...ownHello('', []), versions: [1, 7] }
    expect(read({ versions: [1, 7] })).toEqual(expected)
    expect(read({ versions: [1, 7], capabilities: 'all', limits: [1], agent: 5 })).toEqual(expected)
    expect(read({ versions: [1, 7], limits: { message_bytes: -1, calls_in_flight: 'x' } })).toEqual(expected)
  })

  test('may name capabilities and members nobody knows', () => {
    const hello = read({
      versions: [1],
      capabilities: ['teleport', 'cancel', 5],
      mood: { good: true },
    }) as Hello
    expect(hello.capabilities).toEqual(['cancel'])
  })

  test('may lower our limits and not raise them', () => {
    const hello = read({ versions: [1], limits: { message_bytes: 1000.5, calls_in_flight: 1e12 } }) as Hello
    expect(hello.limits).toEqual({ ...ownHello('', []).limits, messageBytes: 1000 })
  })

  test.each([
    ['another kind of frame', '9106', 'hello_expected'],
    ['no map', '9100', 'invalid_hello'],
    ['an array instead of the map', '920090', 'invalid_hello'],
    ['a map without versions', '920080', 'invalid_hello'],
    ['no versions', '920081a876657273696f6e7390', 'invalid_hello'],
    ['a version that is a text', '920081a876657273696f6e7391a131', 'invalid_hello'],
    ['a key that is a number', '9200810102', 'invalid_hello'],
  ])('is a fault with %s', (_, hex, reason) => {
    expect(readHello(readerOn(fromHex(hex)))).toMatchObject({ reason })
  })
})

describe('an agreement', () => {
  const own = { ...ownHello('', ['cancel', 'caller']), versions: [1, 2, 3] }

  test('is the highest common version and what both can do, and the limits of the other', () => {
    const theirs: Hello = {
      ...own,
      versions: [2, 1, 9],
      capabilities: ['caller', 'credit'],
      limits: { ...own.limits, callsInFlight: 5 },
    }
    expect(agree(own, theirs)).toEqual({
      version: 2,
      capabilities: new Set(['caller']),
      limits: theirs.limits,
    })
  })

  test('is the same for both sides', () => {
    const theirs: Hello = { ...own, versions: [3, 2], capabilities: ['cancel'] }
    expect(agree(own, theirs)).toEqual(agree(theirs, own))
  })

  test('does not come about without a common version', () => {
    expect(agree(own, { ...own, versions: [4] })).toEqual({
      reason: 'no_common_version',
      detail: 'versions here: 1, 2, 3',
    })
  })
})

test('credit says how many calls', () => {
  expect(toHex(written(out => writeCredit(out, 300)))).toBe('9205cd012c')
  expect(readCredit(readerOn(fromHex('9205cd012c')))).toBe(300)
  expect([fromHex('9105'), fromHex('9205ff'), fromHex('9205a131')].map(readerOn).map(readCredit)).toEqual([
    0, 0, 0,
  ])
})
