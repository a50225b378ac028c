import { describe, expect, test } from 'bun:test'
import { cleanJson, cleanText } from '../../src/log/clean.ts'
import { createLog, type LogFormat } from '../../src/log/createLog.ts'
import type { Log, LogLevel } from '../../src/log/log.ts'
import { isSecretName, REDACTED, redact, redactText } from '../../src/log/redact.ts'

const NOON = new Date(2024, 4, 6, 12, 0, 0, 7).getTime()

function lines(
  format: LogFormat,
  speak: (log: Log) => void,
  level: LogLevel = 'debug',
  colours = false,
): string {
  let text = ''
  const write = (line: string): void => {
    text += line
  }
  speak(createLog({ write, level, format, now: () => NOON, colours }))
  return text
}

test('what the form of the lines depends on is found out at the first line', () => {
  let asked = 0
  let text = ''
  const log = createLog({
    write: line => {
      text += line
    },
    level: 'info',
    get format() {
      asked++
      return 'json' as const
    },
    now: () => NOON,
  })
  log.debug('not shown')
  expect(asked).toBe(0)
  log.info('one')
  log.info('two')
  expect(asked).toBe(1)
  expect(text.trimEnd().split('\n')).toHaveLength(2)
})

describe('human lines', () => {
  test('show time, level, message and fields', () => {
    const fields = {
      worker: 'orders',
      count: 3,
      note: 'two words',
      list: [1, 'b'],
      none: undefined,
      empty: '',
    }
    expect(lines('human', log => log.warn('slow consumer cut', fields))).toBe(
      '12:00:00.007 WARN  slow consumer cut  worker=orders count=3 note="two words" list=[1,"b"] none=- empty=""\n',
    )
    expect(lines('human', log => log.info('ready'))).toBe('12:00:00.007 INFO  ready\n')
  })

  test('are one line each, whatever they are told', () => {
    const text = lines('human', log =>
      log.info('one\n12:00:00 ERROR forged\x1b[2J', { 'a\nb': 'c\r\nd\x07\u202e' }),
    )
    expect(text.split('\n')).toHaveLength(2)
    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\u202e]/)
  })

  test('show an error by its message, with the stack below', () => {
    const error = new Error('disk is full')
    error.stack = 'Error: disk is full\n    at write (store.ts:1:1)'
    expect(lines('human', log => log.error('failed', { error }))).toBe(
      '12:00:00.007 ERROR failed  error="disk is full"\n    Error: disk is full\n        at write (store.ts:1:1)\n',
    )
  })

  test('have colours only when asked for', () => {
    expect(lines('human', log => log.error('x', { a: 1 }))).not.toContain('\x1b')
    expect(lines('human', log => log.error('x', { a: 1 }), 'debug', true)).toContain('\x1b[31mERROR')
  })
})

describe('JSON lines', () => {
  test('hold time, level, message and fields', () => {
    const text = lines('json', log => log.info('listening', { port: 1, worker: { id: 'a' } }))
    expect(text).toEndWith('}\n')
    expect(JSON.parse(text)).toEqual({
      time: new Date(NOON).toISOString(),
      level: 'info',
      message: 'listening',
      port: 1,
      worker: { id: 'a' },
    })
  })

  test('a field cannot pose as the level or the message', () => {
    const line = JSON.parse(
      lines('json', log => log.info('real', { level: 'error', message: 'fake', time: 0 })),
    )
    expect(line).toMatchObject({
      level: 'info',
      message: 'real',
      level_: 'error',
      message_: 'fake',
      time_: 0,
    })
  })

  test('take what JSON cannot say', () => {
    const loop: Record<string, unknown> = {
      big: 2n ** 70n,
      bytes: new Uint8Array(3),
      nan: Number.NaN,
      fn: () => 1,
    }
    loop.self = loop
    const line = JSON.parse(
      lines('json', log => log.info('x', { loop, map: new Map([['a', 1]]), set: new Set([2]) })),
    )
    expect(line.loop).toEqual({
      big: '1180591620717411303424',
      bytes: '[3 bytes]',
      nan: 'NaN',
      fn: '[function]',
      self: '[circular]',
    })
    expect(line).toMatchObject({ map: { a: 1 }, set: [2] })
  })

  test('keep an error with its code and cause', () => {
    const error = Object.assign(new Error('outer', { cause: new Error('inner') }), { code: 'EACCES' })
    const line = JSON.parse(lines('json', log => log.error('x', { error })))
    expect(line.error).toMatchObject({
      name: 'Error',
      message: 'outer',
      code: 'EACCES',
      cause: { message: 'inner' },
    })
  })
})

describe('levels', () => {
  const speakAll = (log: Log): void => {
    log.debug('d')
    log.info('i')
    log.warn('w')
    log.error('e')
  }
  test.each([
    ['debug', 4],
    ['info', 3],
    ['warn', 2],
    ['error', 1],
    ['silent', 0],
  ] as const)('%s lets %d of four lines through', (level, count) => {
    expect(lines('json', speakAll, level).split('\n')).toHaveLength(count + 1)
  })
})

describe('redaction', () => {
  test.each([
    'token',
    'apiKey',
    'X-Api-Key',
    'DB_PASSWORD',
    'client.secret',
    'Authorization',
    'reattach_token',
    'key',
    'set-cookie',
  ])('the value of %s is hidden in both formats', name => {
    for (const format of ['human', 'json'] as const) {
      const text = lines(format, log =>
        log.info('x', { [name]: 'hunter2', deep: [{ [name]: { a: 'hunter2' } }] }),
      )
      expect(text).not.toContain('hunter2')
      expect(text).toContain(REDACTED)
    }
  })

  test.each(['keyboard', 'monkey', 'tokenizer', 'port', 'passwordless', 'worker'])(
    '%s is not a secret',
    name => {
      expect(isSecretName(name)).toBe(false)
    },
  )

  test('credentials within text are hidden', () => {
    expect(redactText('dialling wss://bob:hunter2@host:1/x?y=@z')).toBe(
      `dialling wss://${REDACTED}@host:1/x?y=@z`,
    )
    expect(redactText('sent Authorization: Bearer abcdefgh12345')).toBe(
      `sent Authorization: Bearer ${REDACTED}`,
    )
    expect(redactText('http://host/a@b')).toBe('http://host/a@b')
    expect(
      lines('json', log =>
        log.info('ws://a:hunter2@h', { url: 'ws://a:hunter2@h', e: new Error('ws://a:hunter2@h') }),
      ),
    ).not.toContain('hunter2')
  })

  test('absent secrets stay visible as absent', () => {
    expect(redact({ token: null, secret: undefined })).toEqual({ token: null, secret: undefined })
  })
})

describe('text from elsewhere', () => {
  test('loses control and direction characters, line breaks become blanks', () => {
    expect(cleanText('a\x1b[31m\nb\u202ec\u0085d\u2066')).toBe('a[31m bcd')
  })

  test('as JSON it is escaped, and stays the same value', () => {
    const value = { a: 'x\u202ey\x9b\x7f\u2028\n' }
    const text = cleanJson(JSON.stringify(value, undefined, 2))
    expect(text).not.toMatch(/[\x7f-\x9f\u2028\u202e]/)
    expect(JSON.parse(text)).toEqual(value)
  })
})
