import { describe, expect, test } from 'bun:test'
import { runHandler } from '../../sdk/typescript/src/handlers.ts'
import { HandlerError, InvocationError } from '../../sdk/typescript/src/mod.ts'
import { type Handler, RawJson } from '../../sdk/typescript/src/worker.ts'
import type { Frame, Payload, ResultFrame } from '../../src/protocol/frames.ts'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { CODEC_JSON } from '../../src/protocol/msgpack/layout.ts'
import { until } from '../support/waiting.ts'
import { callFrame } from './support.ts'

/** Runs a handler and gives the frame that it is answered with. */
async function answerOf(handler: Handler | undefined, data = '{}'): Promise<ResultFrame> {
  const sent: Frame[] = []
  runHandler(handler, callFrame('f', data), frame => void sent.push(frame))
  await until('an answer', () => sent.length > 0)
  await Bun.sleep(0)
  expect(sent).toHaveLength(1)
  return sent[0] as ResultFrame
}

async function errorOf(handler: Handler | undefined): Promise<Record<string, string>> {
  const { error, result } = await answerOf(handler)
  expect(result).toBeUndefined()
  return JSON.parse(error!) as Record<string, string>
}

/** Waits like a promise, and is none. */
function thenable(value: unknown): unknown {
  // biome-ignore lint/suspicious/noThenProperty: that it has one is the point.
  return { then: (done: (value: unknown) => void) => done(value) }
}

const circular: Record<string, unknown> = {}
circular.self = circular

describe('what a handler returns is the answer', () => {
  test.each([
    ['an object', { a: 1 }, '{"a":1}'],
    ['null', null, 'null'],
    ['nothing', undefined, undefined],
    ['false', false, 'false'],
    ['an empty string', '', '""'],
    ['a function, which JSON cannot say', () => 1, 'null'],
    ['not a number', Number.NaN, 'null'],
    ['JSON text', new RawJson(asJsonText('{"big":9007199254740993}')), '{"big":9007199254740993}'],
  ])('%s, at once or later', async (_, value, expected) => {
    expect((await answerOf(() => value)).result).toBe(expected as never)
    expect((await answerOf(async () => value)).result).toBe(expected as never)
    expect((await answerOf(() => thenable(value))).result).toBe(expected as never)
  })

  test('and it is answered under the id it was called with', async () => {
    expect(await answerOf(() => 1)).toMatchObject({
      type: 'invocationresult',
      invocationId: 'c2a4a5a6-0000-4000-8000-0000000000aa',
      functionId: 'f',
    })
  })
})

describe('what a handler throws is the error', () => {
  const boom = new Error('boom')
  test.each([
    ['an error', boom, { code: 'invocation_failed', message: 'boom', stacktrace: boom.stack }],
    [
      'an error with a code of its own',
      new HandlerError('out_of_stock', 'none'),
      { code: 'out_of_stock', message: 'none' },
    ],
    [
      'the error of a call it made',
      new InvocationError('not_found', 'no', 'g'),
      { code: 'not_found', message: 'no' },
    ],
    ['a string', 'boom', { code: 'invocation_failed', message: 'boom' }],
    ['undefined', undefined, { code: 'invocation_failed', message: 'undefined' }],
    ['a symbol', Symbol('x'), { code: 'invocation_failed', message: 'Symbol(x)' }],
    ['what is no string', Object.create(null), { code: 'invocation_failed', message: expect.any(String) }],
  ])('%s, at once or later', async (_, thrown, expected) => {
    const throwing = (): never => {
      throw thrown
    }
    expect(await errorOf(throwing)).toEqual(expected as never)
    expect(await errorOf(async () => throwing())).toEqual(expected as never)
  })

  test.each([
    ['a big integer', 1n],
    ['a circle', circular],
    [
      'what fails while it is written',
      {
        toJSON: () => {
          throw new Error('no')
        },
      },
    ],
  ])('%s cannot be an answer, and the caller hears of it', async (_, value) => {
    expect(await errorOf(() => value)).toMatchObject({ code: 'invocation_failed' })
    expect(await errorOf(async () => value)).toMatchObject({ code: 'invocation_failed' })
  })
})

test('with what else a program should know', async () => {
  const thrown = new HandlerError('VERSION_CONFLICT', 'it has version 7', { version: 7, code: 'ANOTHER' })
  const body = await errorOf(() => {
    throw thrown
  })
  expect(body as object).toEqual({ code: 'VERSION_CONFLICT', message: 'it has version 7', version: 7 })
  const received = InvocationError.from(body as never, 'f')
  expect(received).toMatchObject({
    code: 'VERSION_CONFLICT',
    detail: 'it has version 7',
    body: { version: 7 },
  })
})

test('a function that is not there is answered, too', async () => {
  expect(await errorOf(undefined)).toEqual({ code: 'function_not_found', message: 'Function not found' })
})

test('a call that wants no answer gets none', async () => {
  const sent: Frame[] = []
  const call = callFrame('f', '{}', { invocationId: undefined })
  runHandler(
    () => 1,
    call,
    frame => void sent.push(frame),
  )
  runHandler(
    async () => Promise.reject(new Error('boom')),
    call,
    frame => void sent.push(frame),
  )
  runHandler(undefined, call, frame => void sent.push(frame))
  await Bun.sleep(0)
  expect(sent).toEqual([])
})

describe('a handler that wants text', () => {
  const echo = (data: unknown, framing: 'json' | 'msgpack', caller?: string): unknown => {
    const sent: Frame[] = []
    const frame = { ...callFrame('f', '{}'), data: data as Payload, caller }
    runHandler(
      input => input,
      frame,
      answer => void sent.push(answer),
      undefined,
      framing,
      true,
    )
    return (sent[0] as ResultFrame).result ?? JSON.parse((sent[0] as ResultFrame).error!)
  }
  const bytesOf = (text: string): Payload => {
    const bytes = new TextEncoder().encode(text)
    return { codec: CODEC_JSON, bytes, start: 0, end: bytes.length }
  }

  test('gets it as it was written', () => {
    const text = '{ "n": 9007199254740993, "f": 1.0, "s": "\\u00fc" }'
    expect(echo(text, 'json')).toBe(text)
    expect(echo(bytesOf(text), 'msgpack')).toBe(text)
  })

  test('with who calls, who cannot be someone else', () => {
    const forged = '{"a":1,"_caller_worker_id":"x"}'
    expect(echo(bytesOf(forged), 'msgpack', 'w1')).toBe('{"a":1,"_caller_worker_id":"w1"}')
    expect(echo(bytesOf(forged), 'msgpack')).toBe('{"a":1}')
  })

  test('does not run when there is none', () => {
    expect(echo(bytesOf('{"a":'), 'msgpack')).toMatchObject({ code: 'deserialization_error' })
  })
})
