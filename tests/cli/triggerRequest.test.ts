import { describe, expect, test } from 'bun:test'
import { CommandError } from '../../src/cli/commandError.ts'
import { isPlainObject, parseExact, prettyJson } from '../../src/cli/exactJson.ts'
import { engineAddress } from '../../src/cli/trigger/address.ts'
import { describeFunction } from '../../src/cli/trigger/parameters.ts'
import { buildPayload, readWords, type TriggerFlags } from '../../src/cli/trigger/request.ts'

function refusal(work: () => unknown): CommandError {
  try {
    work()
  } catch (error) {
    if (error instanceof CommandError) return error
    throw error
  }
  throw new Error('was not refused')
}

describe('the words of a call', () => {
  const cases: [words: string[], flags: TriggerFlags, functionId: string | undefined, pairs: string[]][] = [
    [['fn', 'a=1'], {}, 'fn', ['a=1']],
    [['a=1'], { functionId: 'fn' }, 'fn', ['a=1']],
    [['fn', 'a=1'], { functionId: 'fn' }, 'fn', ['a=1']],
    [['fn'], {}, 'fn', []],
    [[], { functionId: 'fn' }, 'fn', []],
    [[], {}, undefined, []],
  ]
  test.each(cases)('%j with %j', (words, flags, functionId, pairs) => {
    expect(readWords(words, flags)).toEqual({ functionId, pairs, source: undefined })
  })

  test('two different functions, a blank one, and two ways at once are refused as wrong usage', () => {
    expect(refusal(() => readWords(['a'], { functionId: 'b' })).exitCode).toBe(2)
    expect(refusal(() => readWords([' '], {})).exitCode).toBe(2)
    expect(refusal(() => readWords(['a'], { void: true, enqueue: 'q' })).exitCode).toBe(2)
    expect(refusal(() => readWords(['a'], { payload: '1', json: '2' })).message).toContain(
      '--payload and --json',
    )
    expect(refusal(() => readWords(['a'], { file: 'f', json: '-' })).message).toContain('--json and --file')
  })

  test('a payload of - is read from standard input', () => {
    expect(readWords(['a'], { payload: '-' }).source).toEqual({ from: 'input', option: '--payload' })
    expect(readWords(['a'], { json: '-' }).source).toEqual({ from: 'input', option: '--json' })
    expect(readWords(['a'], { json: '{}' }).source).toEqual({ from: 'text', text: '{}', option: '--json' })
  })
})

describe('the payload', () => {
  const cases: [whole: string | undefined, pairs: string[], payload: string][] = [
    [undefined, [], '{}'],
    [undefined, ['a=10', 'name=bob'], '{"a":10,"name":"bob"}'],
    [
      undefined,
      ['a=true', 'b=null', 'c={"x":[1]}', 'd="quoted"'],
      '{"a":true,"b":null,"c":{"x":[1]},"d":"quoted"}',
    ],
    [undefined, ['a=', 'b=x=y', 'c=1 2', 'd=01'], '{"a":"","b":"x=y","c":"1 2","d":"01"}'],
    [undefined, ['a=1', 'a=2'], '{"a":2}'],
    [undefined, ['__proto__=1', 'constructor=2'], '{"__proto__":1,"constructor":2}'],
    [
      undefined,
      ['n=12345678901234567890', 'm=1.0', 'k=1e400'],
      '{"n":12345678901234567890,"m":1.0,"k":1e400}',
    ],
    [' {"a" : 1, "b":2.50}\n', [], '{"a" : 1, "b":2.50}'],
    ['[1]', [], '[1]'],
    ['null', [], 'null'],
    ['{"a":{"b":1},"c":9007199254740993}', ['a={"d":2}'], '{"a":{"d":2},"c":9007199254740993}'],
    ['{"__proto__":{"x":1}}', ['a=1'], '{"__proto__":{"x":1},"a":1}'],
  ]
  test.each(cases)('%j with %j is %s', (whole, pairs, payload) => {
    expect(buildPayload(whole, pairs) as string).toBe(payload)
  })

  test.each([['[1]'], ['1'], ['12345678901234567890'], ['null'], ['"s"']])(
    '%s cannot be mixed with key=value',
    whole => {
      expect(refusal(() => buildPayload(whole, ['a=1'])).exitCode).toBe(2)
    },
  )

  test.each([['{'], [''], ['{"a":1,}'], ['undefined'], ["{'a':1}"]])('%j is refused as JSON', whole => {
    expect(refusal(() => buildPayload(whole, [], '--payload')).message).toStartWith(
      '--payload is not valid JSON',
    )
  })

  test.each(['word', '=1'])('%s is refused as key=value', pair => {
    expect(refusal(() => buildPayload(undefined, [pair])).exitCode).toBe(2)
  })
})

describe('the address', () => {
  const cases: [flags: TriggerFlags, url: string | undefined, address: string][] = [
    [{}, undefined, 'ws://localhost:49134'],
    [{}, '', 'ws://localhost:49134'],
    [{}, 'ws://elsewhere:1', 'ws://elsewhere:1'],
    [{ port: 5 }, 'ws://elsewhere:1', 'ws://localhost:5'],
    [{ address: 'host' }, undefined, 'ws://host:49134'],
    [{ address: '::1', port: 7 }, undefined, 'ws://[::1]:7'],
    [{ address: '[::1]' }, undefined, 'ws://[::1]:49134'],
    [{ address: 'wss://host/path' }, undefined, 'wss://host/path'],
    [{ address: 'ws://host/path', port: 9 }, undefined, 'ws://host:9/path'],
  ]
  test.each(cases)('%j and III_URL %j', (flags, url, address) => {
    expect(engineAddress(flags, url)).toBe(address)
  })
})

describe('exact JSON', () => {
  test('numbers come out as they went in', () => {
    const text = '[12345678901234567890,1.0,1e5,-0,0.1,9007199254740993]'
    expect(JSON.stringify(parseExact(text))).toBe(text)
    expect(prettyJson(parseExact('{"a":[1.50]}'))).toBe('{\n  "a": [\n    1.50\n  ]\n}')
  })

  test('a number is not an object, whatever stands for it', () => {
    expect(isPlainObject(parseExact('12345678901234567890'))).toBe(false)
    expect(isPlainObject(parseExact('{}'))).toBe(true)
    expect(isPlainObject(null)).toBe(false)
  })
})

describe('the table of parameters', () => {
  test('shows name, type, required and description, required ones first', () => {
    const info = {
      description: 'Adds numbers.',
      worker_name: 'math',
      namespace: 'default',
      request_schema: {
        type: 'object',
        properties: {
          round: { type: ['boolean', 'null'] },
          a: { type: 'number', description: 'first summand' },
          mode: { enum: ['up', 'down'] },
          list: { type: 'array', items: { type: 'string' } },
          either: { anyOf: [{ type: 'string' }, { $ref: '#/$defs/Money' }] },
          open: true,
        },
        required: ['a'],
      },
    }
    expect(describeFunction(info, 'math::add').split('\n')).toEqual([
      'Usage: iii trigger math::add [key=value ...]',
      '',
      'Adds numbers.',
      '',
      'worker: math   namespace: default',
      '',
      'NAME    TYPE          REQUIRED  DESCRIPTION',
      'a       number        yes       first summand',
      'round   boolean|null  no',
      'mode    "up"|"down"   no',
      'list    string[]      no',
      'either  string|Money  no',
      'open    any           no',
      '',
    ])
  })

  test.each([
    null,
    7,
    {},
    { request_schema: null },
    { request_schema: { properties: [] } },
    { request_schema: true },
  ])('says so when there is nothing to show: %j', info => {
    expect(describeFunction(info, 'f')).toContain('does not describe its parameters')
  })

  test('what a worker wrote cannot move the cursor or turn text around', () => {
    const evil = '\x1b[2J\u202egnp'
    const schema = { properties: { [evil]: { type: evil, description: `a\nb${evil}`, enum: undefined } } }
    const text = describeFunction({ description: evil, worker_name: evil, request_schema: schema }, evil)
    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\u202e]/)
    expect(text).toContain('a b[2Jgnp')
  })
})
