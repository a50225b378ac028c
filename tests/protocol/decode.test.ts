import { describe, expect, test } from 'bun:test'
import { decodeJson } from '../../src/protocol/json/decode.ts'
import { limits } from '../../src/protocol/limits.ts'
import { type Field, frameOf, type Message, membersOf, messages, textOf } from './messages.ts'

const ID = 'c2a4a5a6-0000-4000-8000-0000000000aa'

function decoded(text: string): Record<string, unknown> {
  return decodeJson(text) as unknown as Record<string, unknown>
}

/** The message without one field, or with another text for it. */
function altered(message: Message, field: Field, text: string | undefined): string {
  const members = membersOf(message).filter(([name]) => name !== field.wire || text !== undefined)
  return textOf(members.map(([name, value]) => [name, name === field.wire ? text! : value]))
}

/** An `error` with nothing in it still has to say something. */
const NO_ERROR = { code: 'UNKNOWN', message: '' }

describe.each(messages.map(message => [message.type, message] as const))('%s', (type, message) => {
  const { fields } = message
  const full = membersOf(message)

  test('is read with all its fields', () => {
    expect(decoded(textOf(full))).toEqual(frameOf(message))
  })

  test('is read in any order: type last and blanks (Python), alphabetical (Go)', () => {
    expect(decoded(textOf([...full].reverse(), ', ', ': '))).toEqual(frameOf(message))
    const alphabetical = [...full].sort(([one], [other]) => (one < other ? -1 : 1))
    expect(decoded(textOf(alphabetical))).toEqual(frameOf(message))
    const [first, ...rest] = full
    expect(decoded(` \n${textOf([...rest, first!], ' ,\n ', '\t: ')}\r\n`)).toEqual(frameOf(message))
  })

  test('is read with its required fields alone', () => {
    const required = fields.filter(({ need }) => need === 'required')
    const text = textOf([['type', `"${type}"`], ...required.map(field => [field.wire, field.text] as const)])
    const frame = frameOf(message, field => field.need === 'required')
    expect(decoded(text)).toEqual(type === 'error' ? { ...frame, error: NO_ERROR } : frame)
  })

  test('is read with fields nobody knows', () => {
    const text = textOf([['message_type', '"x"'], ...full, ['__proto__', '{"type":1}'], ['features', '[[]]']])
    expect(decoded(text)).toEqual(frameOf(message))
  })

  for (const field of fields) {
    if (field.need === 'required') {
      test.each(['absent', 'null'])(`is dropped when ${field.wire} is %s`, how => {
        const text = altered(message, field, how === 'null' ? 'null' : undefined)
        expect(decoded(text)).toMatchObject({ type: 'problem', reason: 'missing_field' })
        expect(decoded(text).detail).toContain(field.wire)
      })
    } else {
      test.each(['absent', 'null'])(`counts ${field.wire} that is %s as not given`, how => {
        const text = altered(message, field, how === 'null' ? 'null' : undefined)
        const frame = frameOf(message, other => other !== field)
        expect(decoded(text)).toEqual(type === 'error' ? { ...frame, error: NO_ERROR } : frame)
      })
    }
    if (field.wrong.length > 0) {
      test.each([...field.wrong])(`is dropped when ${field.wire} is %s`, wrong => {
        const problem = decoded(altered(message, field, wrong))
        expect(problem.type).toBe('problem')
        expect(['wrong_type', 'invalid_uuid']).toContain(problem.reason as string)
        expect(problem.detail).toContain(field.wire)
      })
    }
    test(`is dropped when ${field.wire} is given twice`, () => {
      const problem = decoded(textOf([...full, [field.wire, field.text]]))
      expect(problem).toMatchObject({ type: 'problem', reason: 'duplicate_field' })
    })
  }
})

describe('a call', () => {
  const call = (members: string): Record<string, unknown> =>
    decoded(`{"type":"invokefunction","function_id":"f"${members}}`)

  test.each([
    ['{"type":"void"}', 'void', undefined],
    ['{"type":"enqueue","queue":"payment"}', 'enqueue', 'payment'],
    ['{ "queue" : "p\\u0061y", "type" : "enqueue", "more" : 1 }', 'enqueue', 'pay'],
    ['null', 'plain', undefined],
  ])('with action %s', (text, action, queue) => {
    expect(call(`,"action":${text}`)).toMatchObject({ action, queue })
  })

  test.each(['"5"', '-1', '0', 'true', '{}', '[5]'])('ignores a time-out of %s', text => {
    expect(call(`,"timeout_ms":${text}`)).toMatchObject({ type: 'invokefunction', timeoutMs: undefined })
  })

  test.each([
    '{}',
    '{ }',
    '[]',
    '1.0',
    '"x"',
    'false',
    'null',
    '9007199254740993',
    '{"b":1,"a":2}',
    '"\\u00e9"',
  ])('has its payload %s as it was written', data => {
    expect(call(`, "data" : ${data} `)).toMatchObject({ data })
  })

  test('that cannot be read can still be answered when its id is readable', () => {
    expect(call(`,"invocation_id":"${ID.toUpperCase()}","traceparent":1`)).toMatchObject({
      type: 'problem',
      about: 'invokefunction',
      invocationId: ID,
      functionId: 'f',
    })
  })

  test.each(['""', '" "', '"x"', '1'])('with the id %s cannot be answered', id => {
    expect(call(`,"invocation_id":${id}`)).toMatchObject({ type: 'problem', invocationId: undefined })
  })
})

describe('the error of a result', () => {
  const error = (text: string): unknown =>
    decoded(
      `{"type":"invocationresult","invocation_id":"${ID}","function_id":"f","result":1,"error":${text}}`,
    ).error

  test.each([
    '{"code":"a","message":"b"}',
    '{"message":"b","code":"a","stacktrace":"s","more":[1.0]}',
    '{"code":"a","message":"b","stacktrace":null}',
  ])('%s is passed on as it is', text => {
    expect(error(text)).toBe(text)
  })

  test.each([
    ['"boom"', { code: 'invocation_failed', message: 'boom' }],
    ['{"message":"boom"}', { code: 'invocation_failed', message: 'boom' }],
    ['{"code":"a"}', { code: 'a', message: '{"code":"a"}' }],
    ['{"code":1,"message":"boom"}', { code: 'invocation_failed', message: 'boom' }],
    ['{"code":"a","message":"b","stacktrace":1}', { code: 'a', message: 'b' }],
    ['17', { code: 'invocation_failed', message: '17' }],
    ['[]', { code: 'invocation_failed', message: '[]' }],
    ['false', { code: 'invocation_failed', message: 'false' }],
    ['""', { code: 'invocation_failed', message: '' }],
    ['{}', { code: 'invocation_failed', message: '{}' }],
  ])('%s is made readable', (text, body) => {
    expect(JSON.parse(error(text) as string)).toEqual(body)
  })

  test('is cut between characters when it is long', () => {
    const { message } = JSON.parse(error(`["${'a'.repeat(997)}😀😀"]`) as string) as { message: string }
    expect(message).toHaveLength(1000)
    expect(message.isWellFormed()).toBe(true)
  })

  test('null is none', () => {
    expect(error('null')).toBeUndefined()
  })
})

describe('what is no frame', () => {
  test.each(['', ' ', '\n', ' \t\r\n '])('%j means nothing', text => {
    expect(decodeJson(text)).toBeUndefined()
  })

  test.each([
    ['[]', 'not_an_object'],
    ['"ping"', 'not_an_object'],
    ['17', 'not_an_object'],
    ['null', 'not_an_object'],
    ['{}', 'missing_field'],
    ['{"Type":"ping"}', 'missing_field'],
    ['{"type":null}', 'missing_field'],
    ['{"type":1}', 'wrong_type'],
    ['{"type":["ping"]}', 'wrong_type'],
    ['{"type":""}', 'unknown_type'],
    ['{"type":"Ping"}', 'unknown_type'],
    ['{"type":"observe","id":"1"}', 'unknown_type'],
    ['{"type":"__proto__"}', 'unknown_type'],
    ['{"type":"constructor"}', 'unknown_type'],
    ['{"type":"toString"}', 'unknown_type'],
    ['{"type":"problem","reason":"too_deep"}', 'unknown_type'],
    ['{"type":"ping","type":"ping"}', 'duplicate_field'],
    ['{"type":"ping","\\u0074ype":"ping"}', 'duplicate_field'],
    ['{"type":"ping"', 'invalid_json'],
    ['{"type":"ping",}', 'invalid_json'],
    ["{'type':'ping'}", 'invalid_json'],
    ['{"type":"ping"}{"type":"ping"}', 'invalid_json'],
    ['{"type":"ping","x":NaN}', 'invalid_json'],
    ['{"type":"ping","x":-Infinity}', 'invalid_json'],
    ['{"type":"ping","x":undefined}', 'invalid_json'],
    ['{"type":"ping","x":01}', 'invalid_json'],
    ['{"type":"ping","x":"\n"}', 'invalid_json'],
    ['{"type":"ping","x":"\\ud800"}', 'lone_surrogate'],
    ['{"type":"ping","\\udc00":1}', 'lone_surrogate'],
    ['{"type":"ping","x":[{"y":"\\ud83d \\ude00"}]}', 'lone_surrogate'],
    ['{"type":"ping","x":1e400}', 'number_out_of_range'],
    ['{"type":"ping","x":[-1E+999]}', 'number_out_of_range'],
    [`{"type":"ping","x":${'9'.repeat(400)}}`, 'number_out_of_range'],
    [`{"type":"ping","x":${'['.repeat(limits.jsonDepth)}${']'.repeat(limits.jsonDepth)}}`, 'too_deep'],
    ['\ufeff{"type":"ping"}', 'invalid_json'],
  ] as const)('%j is %s', (text, reason) => {
    expect(decodeJson(text)).toMatchObject({ type: 'problem', reason })
  })

  test('is described in one sentence that shows nothing of the payload', () => {
    const problem = decoded('{"type":"registerfunction","id":{"password":"hunter2"}}')
    expect(problem.detail).toBe('field "id" must be a string')
    expect(decoded(`{"type":"${'x'.repeat(10_000)}"}`).detail as string).toHaveLength(
      'type "" is unknown'.length + 64,
    )
  })
})

test('a number that a double holds, however it is written, is fine', () => {
  for (const number of [
    '1e308',
    '0.1e-400',
    '-0',
    `0.${'1'.repeat(400)}`,
    '9'.repeat(308),
    '123456789012345678901234567890',
  ]) {
    expect(decodeJson(`{"type":"ping","x":${number}}`)).toEqual({ type: 'ping' })
  }
})

test('a paired surrogate in escapes, and one in plain characters, is fine', () => {
  const data = '["\\ud83d\\ude00","\ud83d\ude00"]'
  expect(decodeJson(`{"type":"invokefunction","function_id":"f","data":${data}}`)).toMatchObject({ data })
})

test('two messages do not mix: what the first had is not in the second', () => {
  decodeJson(
    `{"type":"invokefunction","function_id":"f","namespace":"n","metadata":1,"invocation_id":"${ID}"}`,
  )
  expect(decodeJson('{"type":"invokefunction","function_id":"g"}')).toMatchObject({
    functionId: 'g',
    namespace: undefined,
    metadata: undefined,
    invocationId: undefined,
  })
})
