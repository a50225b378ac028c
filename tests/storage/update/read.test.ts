import { describe, expect, test } from 'bun:test'
import { asJsonText } from '../../../src/protocol/jsonText.ts'
import { MalformedOperations, readOperations } from '../../../src/storage/update/read.ts'

const read = (text: string) => readOperations(asJsonText(text))

describe('operations are read', () => {
  test('with their values as they were written', () => {
    const text =
      '[ {"value": 1.0 , "path":"a","type":"set","more":[]}, {"type":"append","value":[12345678901234567890]} ]'
    expect(read(text)).toEqual([
      { type: 'set', path: 'a', value: asJsonText('1.0') },
      { type: 'append', path: undefined, value: asJsonText('[12345678901234567890]') },
    ])
  })

  test('with exact numbers, and keys without escapes', () => {
    expect(read('[{"type":"increment","path":"\\u00fc\\"","by":9007199254740993}]')).toEqual([
      { type: 'increment', path: 'ü"', by: 9007199254740993n },
    ])
  })

  test('with a value of null where it is given', () => {
    expect(read('[{"type":"set","path":"","value":null},{"type":"merge","path":null,"value":null}]')).toEqual(
      [
        { type: 'set', path: '', value: asJsonText('null') },
        { type: 'merge', path: undefined, value: asJsonText('null') },
      ],
    )
  })
})

describe('an update is refused whole', () => {
  test.each([
    ['{}', '`ops` must be an array'],
    ['[5]', 'ops[0] must be an object'],
    ['[{"path":"a"}]', 'ops[0]: missing field `type`'],
    ['[{"type":"set","path":"a"},{"type":"rename","path":"a"}]', 'ops[1]: unknown operation "rename"'],
    ['[{"type":5}]', 'ops[0]: unknown operation 5'],
    ['[{"type":"__proto__"}]', 'ops[0]: unknown operation "__proto__"'],
    ['[{"type":"set"}]', 'ops[0]: missing field `path`'],
    ['[{"type":"remove"}]', 'ops[0]: missing field `path`'],
    ['[{"type":"increment","by":1}]', 'ops[0]: missing field `path`'],
    ['[{"type":"decrement","path":"a"}]', 'ops[0]: missing field `by`'],
    [
      '[{"type":"set","path":["a"]}]',
      'ops[0]: `path` must be a string, which is one key or empty for the root, not array',
    ],
    ['[{"type":"increment","path":"a","by":1.5}]', 'ops[0]: `by` must be an integer of 64 bits'],
    ['[{"type":"increment","path":"a","by":1.0}]', 'ops[0]: `by` must be an integer of 64 bits'],
    ['[{"type":"increment","path":"a","by":"1"}]', 'ops[0]: `by` must be an integer of 64 bits'],
    [
      '[{"type":"increment","path":"a","by":9223372036854775808}]',
      'ops[0]: `by` must be an integer of 64 bits',
    ],
    ['[{"type":"merge","path":"a"}]', 'ops[0]: missing field `value`'],
    ['[{"type":"append"}]', 'ops[0]: missing field `value`'],
    [
      '[{"type":"append","path":["a",1],"value":1}]',
      'ops[0]: `path` must be a string or an array of strings',
    ],
    ['[{"type":"merge","path":{},"value":{}}]', 'ops[0]: `path` must be a string or an array of strings'],
  ])('of %s', (text, message) => {
    expect(() => read(text)).toThrow(MalformedOperations)
    expect(() => read(text)).toThrow(message)
  })
})
