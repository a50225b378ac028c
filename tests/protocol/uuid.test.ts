import { describe, expect, test } from 'bun:test'
import { createInvocationIds, parseUuid } from '../../src/protocol/uuid.ts'

const ID = 'c2a4a5a6-0b0c-4d0e-8f00-0123456789ab'
const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('a UUID is read in every form that UUID parsers take', () => {
  const bare = ID.replaceAll('-', '')
  test.each([
    ID,
    bare,
    `{${ID}}`,
    `urn:uuid:${ID}`,
    ID.toUpperCase(),
    bare.toUpperCase(),
    `{${ID.toUpperCase()}}`,
  ])('%s', form => expect(parseUuid(form)).toBe(ID))

  test('of any version', () => {
    for (const id of ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff']) {
      expect(parseUuid(id)).toBe(id)
    }
  })
})

test.each([
  '',
  ' ',
  'x',
  ID.slice(1),
  `${ID}0`,
  ` ${ID}`,
  `${ID}\n`,
  ID.replace('c', 'g'),
  ID.replaceAll('-', '_'),
  `urn:${ID}`,
  '٠٠٠٠٠٠٠٠-0000-0000-0000-000000000000',
])('%j is no UUID', text => expect(parseUuid(text)).toBeUndefined())

describe('invocation ids', () => {
  test('are UUIDs of version 4 and never the same twice', () => {
    const next = createInvocationIds(() => crypto.randomUUID())
    const ids = Array.from({ length: 50_000 }, next)
    expect(new Set(ids).size).toBe(ids.length)
    for (const id of ids) if (!UUID_V4.test(id)) throw new Error(id)
  })

  test('stay UUIDs when their counter is at its end', () => {
    const next = createInvocationIds(() => 'aaaaaaaa-aaaa-4aaa-8aaa-ffffffffffff')
    const ids = Array.from({ length: 10 }, next)
    for (const id of ids) expect(id).toMatch(UUID_V4)
    expect(new Set(ids).size).toBe(10)
  })

  test('of two makers differ', () => {
    const [one, other] = [
      createInvocationIds(() => crypto.randomUUID()),
      createInvocationIds(() => crypto.randomUUID()),
    ]
    expect(one()).not.toBe(other())
  })
})
