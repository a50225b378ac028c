/** Conditions that are expressions (`docs/delivery.md#conditions`). */
import { describe, expect, test } from 'bun:test'
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import { compileCondition } from '../../src/delivery/condition.ts'
import { parseEvent } from '../../src/delivery/event.ts'
import { asJsonText, toJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'

const event = {
  status: 'pending',
  total: 120,
  rate: 1.5,
  nothing: null,
  tags: ['new', 'eu'],
  customer: { id: 7, address: { city: 'Bonn' } },
}

function verdict(expression: string, given: unknown = event, lookIn?: string): unknown {
  const condition = compileCondition(expression, lookIn === undefined ? {} : { lookIn })
  return condition.holds(parseEvent(toJsonText(given)))
}

describe('an expression', () => {
  test.each([
    'status == "pending"',
    "status != 'done'",
    'total > 100 && total <= 120',
    'total == 120.0 && rate == 1.5',
    'total + 1 == 121 && total * 2 > 200 && total / 7 > 17 && 1 - rate < 0',
    'status == "done" || customer.address.city == "Bonn"',
    '!(status == "done")',
    'status in ["pending", "held"]',
    '"eu" in tags',
    '"city" in customer.address',
    'customer["address"].city.startsWith("Bo") && status.contains("end") && status.endsWith("ing")',
    'size(tags) == 2',
    'nothing == null',
    'has(customer.address) && !has(customer.phone)',
    'has(status) && !has(missing) && !has(missing.too)',
    'has(  status  ) && has(total)',
    '!has(missing.too.deep) && !has(customer.phone.home) && has(customer.address.city)',
    '!has(status.length) && has((customer) . address)',
    'event.status == status',
    'status == "pending" ? total > 1 : false',
    'tags[0] == "new"',
  ])('holds: %s', expression => {
    expect(verdict(expression)).toBe('run')
  })

  test.each([
    'status == "done"',
    'total > 120',
    'missing == 1',
    'missing != 1',
    '!(missing == 1)',
    'missing == null',
    'customer.missing.more == 1',
    'status.length == 7',
    'tags[5] == "new"',
    'missing == 1 && true',
    'toString == 1 || constructor == 1',
    'customer.constructor == 1',
  ])('does not hold: %s', expression => {
    expect(verdict(expression)).toBe('skip')
  })

  test('that needs one of two things holds when the other one is absent', () => {
    expect(verdict('missing == 1 || total == 120')).toBe('run')
    expect(verdict('total == 120 || missing == 1')).toBe('run')
    expect(verdict('total == 1 && missing == 1')).toBe('skip')
  })

  test.each(['total > "a"', 'status', 'customer && true'])('cannot be said: %s', expression => {
    expect(verdict(expression)).toEqual({ error: expect.any(String) })
  })

  test('looks at members of the event first, then at those of the named member', () => {
    const change = { key: 'a', new_value: { status: 'pending', key: 'inner' } }
    expect(verdict('status == "pending" && key == "a"', change, 'new_value')).toBe('run')
    expect(verdict('has(status) && has(new_value.status)', change, 'new_value')).toBe('run')
    expect(verdict('status == "pending"', change)).toBe('skip')
    expect(verdict('key == null', { key: null, new_value: { key: 1 } }, 'new_value')).toBe('run')
  })

  test('of an event that is no object sees it as a whole', () => {
    expect(verdict('event == 5', 5)).toBe('run')
    expect(verdict('status == 1', 'text')).toBe('skip')
    expect(verdict('"a" in event', ['a'])).toBe('run')
    expect(verdict('event == null', null)).toBe('run')
  })

  test('sees integers that no double holds as they are written', () => {
    const holds = (expression: string, text: string): unknown =>
      compileCondition(expression).holds(parseEvent(asJsonText(text)))
    expect(holds('n == 9007199254740993', '{"n":9007199254740993}')).toBe('run')
    expect(holds('n == 9007199254740993', '{"n":9007199254740992}')).toBe('skip')
    expect(holds('n > 5 && s == "1234567890123456789"', '{"n":1e300,"s":"1234567890123456789"}')).toBe('run')
  })

  test('may be asked again and again about events of different shape', () => {
    const condition = compileCondition('value > 5')
    const verdicts = [{ value: 6 }, { value: 'x' }, {}, { value: 4 }, 7].map(given => condition.holds(given))
    expect(verdicts.map(said => (typeof said === 'string' ? said : 'error'))).toEqual([
      'run',
      'error',
      'skip',
      'skip',
      'skip',
    ])
  })
})

describe('an expression is refused', () => {
  test.each([
    ['status ==', 'at character 10'],
    ['status == "a" &&& b', 'at character 17'],
    ['', 'not blank'],
    [5, 'must be a text'],
    ['1 + 2', 'is of type int'],
    ['tags.exists(t, t == "new")', "no function 'exists' here"],
    ['true && status.matches("(a+)+")', "no function 'matches' here"],
    ['cel.bind(a, 1, a == 1)', "no function 'bind' here"],
    ['__proto__ == 1', 'at character 1'],
    ['__named == 1', 'not free'],
    ['has(1)', 'has() invalid argument'],
    [`${'('.repeat(100)}true${')'.repeat(100)}`, 'maxDepth'],
    [Array.from({ length: 1000 }, () => '1').join('+'), 'Exceeded max'],
    ['x'.repeat(limits.conditionLength + 1), 'are the most'],
  ])('case %#', (expression, why) => {
    const compile = (): unknown => compileCondition(expression)
    expect(compile).toThrow(HandlerError)
    expect(compile).toThrow(why)
  })
})
