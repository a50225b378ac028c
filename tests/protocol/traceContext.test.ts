import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  encodeBaggageValue,
  forwardedBaggage,
  forwardedTraceparent,
  isBuiltInId,
} from '../../src/protocol/traceContext.ts'
import { holds } from '../support/fuzz.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'
const valid = `00-${TRACE}-${SPAN}-01`

describe('traceparent', () => {
  test.each([valid, `00-${TRACE}-${SPAN}-00`])('%s goes on unchanged', header => {
    expect(forwardedTraceparent(header)).toBe(header)
  })

  test.each([
    [`01-${TRACE}-${SPAN}-01`, valid],
    [`cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, valid],
    [`fe-${TRACE}-${SPAN}-00-`, `00-${TRACE}-${SPAN}-00`],
  ])('%s of a later version goes on as version 00', (header, expected) => {
    expect(forwardedTraceparent(header)).toBe(expected)
  })

  test.each([
    ['empty', ''],
    ['upper case', valid.toUpperCase()],
    ['an upper-case trace id', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['trace id of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['span id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['version ff', `ff-${TRACE}-${SPAN}-01`],
    ['flags 03', `00-${TRACE}-${SPAN}-03`],
    ['flags ff', `00-${TRACE}-${SPAN}-ff`],
    ['a short trace id', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['a long span id', `00-${TRACE}-${SPAN}0-01`],
    ['no flags', `00-${TRACE}-${SPAN}`],
    ['more than version 00 has', `${valid}-extra`],
    ['a dash at the end', `${valid}-`],
    ['blanks around', ` ${valid} `],
    ['a line break', `${valid}\n`],
    ['no hex', `00-${TRACE.replace('a', 'x')}-${SPAN}-01`],
    ['a later version without a dash', `01-${TRACE}-${SPAN}-01extra`],
  ])('is dropped: %s', (_, header) => {
    expect(forwardedTraceparent(header)).toBeUndefined()
  })
})

/** Members in any order. */
function membersOf(header: string | undefined): string[] | undefined {
  return header?.split(',').sort()
}

describe('baggage', () => {
  test('is not added to a call that came with neither header', () => {
    expect(forwardedBaggage('orders::create', undefined, undefined)).toBeUndefined()
    expect(forwardedBaggage('state::get', undefined, undefined)).toBeUndefined()
  })

  test.each([
    ['a traceparent alone', valid, undefined, ['iii.function.id=orders::create']],
    ['an invalid traceparent', 'nonsense', undefined, ['iii.function.id=orders::create']],
    ['an empty baggage', undefined, '', ['iii.function.id=orders::create']],
    ['an unusable baggage', undefined, 'no equals sign;,=x', ['iii.function.id=orders::create']],
    ['members', undefined, 'user.id=1,a=b', ['a=b', 'iii.function.id=orders::create', 'user.id=1']],
    [
      'a target it names already',
      valid,
      'iii.function.id=old,a=b',
      ['a=b', 'iii.function.id=orders::create'],
    ],
  ])('names the target when the call came with %s', (_, traceparent, baggage, expected) => {
    expect(membersOf(forwardedBaggage('orders::create', traceparent, baggage))).toEqual(expected)
  })

  test.each([
    ['white space around names and values', ' a = b ,\tc=d\t', ['a=b', 'c=d']],
    ['properties', 'a=b;secret;ttl=3 , c=d ;x', ['a=b', 'c=d']],
    ['members without a value or a name', 'a,=b,c=d,,=', ['c=d']],
    ['members that are not ASCII', 'a=ü,é=b,c=d', ['c=d']],
    ['control characters', 'a=\u0007,b=\u0000,c=d', ['c=d']],
  ])('loses %s', (_, baggage, expected) => {
    expect(membersOf(forwardedBaggage('state::get', undefined, baggage))).toEqual(expected)
  })

  test.each([
    ['a=b%20c', 'a=b%20c'],
    ['a=%22%3B%2C%3D%5C', 'a=%22%3B%2C%3D\\'],
    ['a=b=c', 'a=b%3Dc'],
    ['a=%C3%BC', 'a=%C3%BC'],
    ['a=50%', 'a=50%25'],
    ['a=%zz', 'a=%25zz'],
    ['a=', 'a='],
  ])('of %s is written again as %s', (baggage, expected) => {
    const written = forwardedBaggage('state::get', undefined, baggage)
    if (expected.endsWith('\\')) expect(decodeURIComponent(written!)).toBe(decodeURIComponent(baggage))
    else expect(written).toBe(expected)
  })

  test('is written so that it reads as the same value again', () => {
    holds([fc.string({ unit: 'binary' })], value => {
      const encoded = encodeBaggageValue(value)
      expect(encoded).toMatch(/^[\x21-\x7e]*$/)
      expect(encoded).not.toMatch(/[";,=\s]/)
      expect(decodeURIComponent(encoded)).toBe(value.toWellFormed())
      expect(forwardedBaggage('state::get', undefined, `a=${encoded}`)).toBe(`a=${encoded}`)
    })
  })

  test('of a name like __proto__ is a name like any other', () => {
    expect(forwardedBaggage('state::get', undefined, '__proto__=x')).toBe('__proto__=x')
  })

  test.each([
    'engine::workers::list',
    'state::get',
    'stream::set',
    'iii::x',
    'iii-queue::x',
    'bridge.invoke',
    'publish',
    'motia_step_get',
  ])('of a call to the built-in %s names no target', id => {
    expect(forwardedBaggage(id, valid, undefined)).toBeUndefined()
    expect(forwardedBaggage(id, valid, 'a=b')).toBe('a=b')
    expect(forwardedBaggage(id, valid, '')).toBeUndefined()
  })

  test.each(['orders::state::get', 'states::get', 'publisher', 'Engine::x', 'bridge', ''])(
    '%j is no built-in',
    id => {
      expect(isBuiltInId(id)).toBe(false)
    },
  )
})
