import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createObjectScanner, sendableFault } from '../../src/protocol/json/scan.ts'
import { limits } from '../../src/protocol/limits.ts'
import { holds, repeatedly } from '../support/fuzz.ts'
import type { Random } from '../support/random.ts'
import { corpus } from './corpus.ts'
import { depthOf, verdictOf } from './reference.ts'

const names = [
  'type',
  'data',
  'id',
  'function_id',
  'a',
  '__proto__',
  'constructor',
  'é',
  'a"b',
  '\ud83d\ude00',
]
const scanner = createObjectScanner(names)

/** The scanner is the one part that hostile text meets first. */
const HEAVY = 5

/** Holds the scanner against `JSON.parse`: verdict, members, what cannot be sent on. */
function agree(text: string): void {
  const problem = scanner.scan(text)
  const { kind, value, loneSurrogate, numberOutOfRange } = verdictOf(text)
  const at = `scanning ${JSON.stringify(text.slice(0, 2000))}`
  if (problem === 'too_deep' && kind === 'invalid') {
    // The scanner stops at the limit and does not look whether the rest is JSON.
    expect(depthOf(text), at).toBeGreaterThan(limits.jsonDepth)
    return
  }
  const expected = {
    object: undefined,
    other: 'not_an_object',
    invalid: 'invalid_json',
    too_deep: 'too_deep',
  } as const
  if (problem !== expected[kind]) throw new Error(`${at}: ${problem}, but JSON.parse says ${kind}`)
  const sendable = (kind === 'object' || kind === 'other') && !loneSurrogate && !numberOutOfRange
  if ((sendableFault(text) === undefined) !== sendable)
    throw new Error(`${at}: sendable should be ${sendable}`)
  if (kind !== 'object') return
  scanner.scan(text)
  if (scanner.loneSurrogate() !== loneSurrogate) throw new Error(`${at}: lone surrogate ${loneSurrogate}`)
  if (scanner.numberOutOfRange() !== numberOutOfRange)
    throw new Error(`${at}: out of range ${numberOutOfRange}`)
  membersAgree(text, value as Record<string, unknown>, at)
}

function membersAgree(text: string, object: Record<string, unknown>, at: string): void {
  names.forEach((name, member) => {
    if (scanner.has(member) !== Object.hasOwn(object, name)) throw new Error(`${at}: member ${name}`)
    if (!scanner.has(member)) return
    const slice = scanner.slice(member)
    if (slice !== text.slice(scanner.startOf(member), scanner.endOf(member)))
      throw new Error(`${at}: place of ${name}`)
    if (slice !== slice.trim()) throw new Error(`${at}: white space around ${name}`)
    if (slice.charCodeAt(0) !== scanner.firstCode(member)) throw new Error(`${at}: first code of ${name}`)
    expect(JSON.parse(slice), at).toEqual(object[name] as never)
    if (typeof object[name] === 'string') expect(scanner.text(member), at).toBe(object[name] as string)
  })
}

const interesting = [
  ...'{}[],:"\\/-+.eE019utfnrbax \t\n\r',
  ...['\u0000', '\u001f', '\u007f', '\u00a0', '\ufeff', '\u2028', 'é', '\ud83d\ude00', 'NaN', 'null', 'true'],
  ...['"type"', '"data":', '\\u', '\\ud800', '\\udc00', '1e400', '{"a":', '[[', ']]', '}}'],
]

describe('the scanner and JSON.parse say the same', () => {
  test.each(corpus.map(text => [JSON.stringify(text).slice(0, 60), text] as const))('of %s', (_, text) =>
    agree(text),
  )

  test('of every text cut off at every place', () => {
    for (const text of corpus)
      for (let end = 0; end < text.length; end++) agree(text.slice(0, end).toWellFormed())
  })

  test('of every text with one character replaced, dropped or doubled', () => {
    for (const text of corpus.filter(({ length }) => length < 260)) {
      for (let at = 0; at < text.length; at++) {
        agree((text.slice(0, at) + text.slice(at + 1)).toWellFormed())
        agree((text.slice(0, at) + text.slice(at, at + 1) + text.slice(at)).toWellFormed())
        for (const other of '{}[],:"\\ 0e-')
          agree((text.slice(0, at) + other + text.slice(at + 1)).toWellFormed())
      }
    }
  })

  test('of texts that were mutated again and again', () => {
    const pick = <Item>(random: Random, items: readonly Item[]): Item =>
      items[random.between(0, items.length)]!
    const mutate = (random: Random, text: string): string => {
      const at = random.between(0, text.length + 1)
      const end = Math.min(text.length, at + random.between(0, 12))
      switch (random.between(0, 5)) {
        case 0:
          return text.slice(0, at) + pick(random, interesting) + text.slice(at)
        case 1:
          return text.slice(0, at) + text.slice(end)
        case 2:
          return text.slice(0, end) + text.slice(at)
        case 3:
          return text.slice(0, at) + String.fromCharCode(random.between(0, 256)) + text.slice(at + 1)
        default:
          return text.slice(0, at) + pick(random, corpus) + text.slice(end)
      }
    }
    repeatedly(random => {
      let text = pick(random, corpus)
      for (let count = random.between(0, 6); count >= 0; count--) text = mutate(random, text)
      agree(text.toWellFormed())
    }, HEAVY)
  })

  test('of texts glued together from tokens', () => {
    const tokens = fc
      .array(fc.constantFrom(...interesting), { maxLength: 40 })
      .map(parts => parts.join('').toWellFormed())
    holds([tokens], agree, HEAVY)
  })

  test('of any JSON, with white space anywhere', () => {
    const space = fc.constantFrom('', ' ', '\t', '\n', '\r\n  ')
    holds(
      [fc.json({ maxDepth: 5 }), space, space],
      (json, before, after) => agree(before + json.toWellFormed() + after),
      HEAVY,
    )
  })

  test('of numbers of every shape', () => {
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 330 })
    const number = fc
      .tuple(
        fc.constantFrom('', '-', '+'),
        digits,
        fc.constantFrom('', '.'),
        digits,
        fc.constantFrom('', 'e', 'E-', 'e+'),
        digits,
      )
      .map(parts => parts.join(''))
    holds([number], text => agree(`{"data":${text}}`), HEAVY)
  })

  test('of a byte order mark, which is not white space', () => {
    agree('\ufeff{}')
    agree('{}\ufeff')
    expect(scanner.scan('\ufeff{}')).toBe('invalid_json')
  })
})

describe('members', () => {
  const key = fc.constantFrom(...names)
  const escaped = (character: string): string =>
    character.length > 1 ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  const spelled = (name: string, inEscapes: boolean): string =>
    inEscapes ? `"${[...name].map(escaped).join('')}"` : JSON.stringify(name)
  const memberText = fc.record({ name: key, inEscapes: fc.boolean(), value: fc.json({ maxDepth: 3 }) })

  test('are sliced exactly as they were written, the last of equal ones, however the key is spelled', () => {
    holds([fc.array(memberText, { maxLength: 8 }), fc.constantFrom('', ' ', '\n\t')], (members, space) => {
      const expected = new Map<string, string>()
      const written = members.map(({ name, inEscapes, value }) => {
        const text = value.toWellFormed()
        expected.set(name, text)
        return `${space}${spelled(name, inEscapes)}${space}:${space}${text}${space}`
      })
      const text = `${space}{${written.join(',') || space}}${space}`
      expect(scanner.scan(text), text).toBeUndefined()
      names.forEach((name, member) => {
        expect(scanner.has(member) ? scanner.slice(member) : undefined, text).toBe(expected.get(name))
      })
      expect(scanner.duplicate() >= 0, text).toBe(expected.size < members.length)
    })
  })

  test('of an earlier text are forgotten', () => {
    expect(scanner.scan('{"type":1}')).toBeUndefined()
    expect(scanner.scan('{"data":2}')).toBeUndefined()
    expect(scanner.has(names.indexOf('type'))).toBe(false)
  })

  test('deeper down are not taken for members', () => {
    expect(scanner.scan('{"x":{"type":1,"y":{"data":2}},"z":[{"id":3}]}')).toBeUndefined()
    expect(names.some((_, member) => scanner.has(member))).toBe(false)
  })
})

describe('nesting', () => {
  const nested = (open: string, close: string, depth: number): string =>
    open.repeat(depth) + close.repeat(depth)

  test.each([
    ['arrays', '[', ']'],
    ['objects', '{"a":', '}'],
  ])('of %s may reach the limit and no further', (_, open, close) => {
    const inner = close === '}' ? '1' : ''
    const text = (depth: number): string => open.repeat(depth) + inner + close.repeat(depth)
    expect(sendableFault(text(limits.jsonDepth))).toBeUndefined()
    expect(sendableFault(text(limits.jsonDepth + 1))).toBe('too_deep')
    agree(text(limits.jsonDepth))
    agree(text(limits.jsonDepth + 1))
  })

  test('counts the envelope', () => {
    expect(scanner.scan(`{"data":${nested('[', ']', limits.jsonDepth - 1)}}`)).toBeUndefined()
    expect(scanner.scan(`{"data":${nested('[', ']', limits.jsonDepth)}}`)).toBe('too_deep')
  })

  test('of ten million levels costs no stack and no time', () => {
    const text = '['.repeat(10_000_000)
    const started = performance.now()
    expect(scanner.scan(text)).toBe('too_deep')
    expect(scanner.scan(`{"data":${text}`)).toBe('too_deep')
    expect(performance.now() - started).toBeLessThan(500)
  })
})

test('the time of a scan grows with the text and no faster, whatever the text', () => {
  const size = 2_000_000
  const hard = [
    `{"data":"${'\\"'.repeat(size / 2)}"}`,
    `{"data":[${'"\\n",'.repeat(size / 5)}1]}`,
    `{"data":[${'"a",\n'.repeat(size / 5)}1]}`,
    `{"data":[${'"a",'.repeat(size / 4)}"\\n"]}`,
    `{${'"a":1,'.repeat(size / 6)}"b":1}`,
    `{"data":"${'a'.repeat(size)}`,
    `{"data":${'"'.repeat(size)}}`,
    `{"data":${' '.repeat(size)}1}`,
    `{"data":${'1'.repeat(size)}}`,
  ]
  for (const text of hard) {
    const started = performance.now()
    scanner.scan(text)
    expect(performance.now() - started, text.slice(0, 30)).toBeLessThan(1500)
  }
})

test('a string cut out of a long text does not keep the text in memory', () => {
  const kept: string[] = []
  const used = (): number => {
    scanner.scan('{}')
    Bun.gc(true)
    return process.memoryUsage().heapUsed
  }
  const before = used()
  for (let count = 0; count < 40; count++) {
    scanner.scan(Buffer.from(`{"id":"name-of-call-${count}","data":"${'x'.repeat(4_000_000)}"}`).toString())
    kept.push(scanner.text(names.indexOf('id')))
  }
  expect(used() - before).toBeLessThan(40_000_000)
  expect(kept[39]).toBe('name-of-call-39')
})
