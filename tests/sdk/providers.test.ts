import { describe, expect, test } from 'bun:test'
import { HandlerError } from '../../sdk/typescript/src/mod.ts'
import type { TriggerProvider } from '../../sdk/typescript/src/worker.ts'
import type { ErrorBody, TriggerResultFrame } from '../../src/protocol/frames.ts'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { until } from '../support/waiting.ts'
import { holdClient } from './support.ts'

/** A client that provides the trigger type `tick`. */
function provide(provider: Partial<TriggerProvider>) {
  const held = holdClient()
  held.client.registerTriggerType(
    { id: 'tick', description: 'ticks' },
    { bind() {}, unbind() {}, ...provider },
  )
  held.open()
  held.transport.take()
  const frame = { id: 'T1', triggerType: 'tick', functionId: 'f' } as const
  return {
    ...held,
    bind() {
      const rest = { config: asJsonText('{}'), metadata: undefined, namespace: undefined }
      held.transport.receiver.received({
        type: 'registertrigger',
        ...frame,
        ...rest,
        triggerNamespace: undefined,
      })
    },
    unbind: () =>
      held.transport.receiver.received({ type: 'unregistertrigger', id: 'T1', triggerType: 'tick' }),
    /** The one answer that was sent: its error. */
    async answer(): Promise<ErrorBody | undefined> {
      const frames: unknown[] = []
      await until('the answer', () => frames.push(...held.transport.take()) > 0)
      expect(frames).toMatchObject([{ type: 'triggerregistrationresult', ...frame }])
      return (frames[0] as TriggerResultFrame).error
    },
  }
}

/** Waits like a promise, and is none. */
function thenable(settle: (done: () => void, failed: (reason: unknown) => void) => void): Promise<void> {
  // biome-ignore lint/suspicious/noThenProperty: that it has one is the point.
  return { then: settle } as unknown as Promise<void>
}

const failures: [string, unknown, ErrorBody][] = [
  ['with a code', new HandlerError('too_many', 'no'), { code: 'too_many', message: 'no' }],
  ['without one', new Error('no'), { code: 'trigger_registration_failed', message: 'no' }],
  ['that is text', 'no', { code: 'trigger_registration_failed', message: 'no' }],
  [
    'that cannot be shown',
    Object.create(null),
    { code: 'trigger_registration_failed', message: 'a value was thrown that cannot be shown' },
  ],
]

describe('a bind', () => {
  test.each([
    ['at once', () => {}],
    ['later', async () => {}],
    ['by a thenable', () => thenable(done => done())],
  ] as const)('that succeeds %s is accepted', async (_, bind) => {
    const held = provide({ bind })
    held.bind()
    expect(await held.answer()).toBeUndefined()
  })

  describe.each(failures)('that throws an error %s', (_, thrown, expected) => {
    test.each([
      ['at once', () => throwIt(thrown)],
      ['later', () => Promise.reject(thrown)],
      ['by a thenable', () => thenable((_, failed) => failed(thrown))],
    ] as const)('is refused with it, %s', async (_, bind) => {
      const held = provide({ bind })
      held.bind()
      expect(await held.answer()).toEqual(expected)
    })
  })

  test('of a type that is not there any more is refused', () => {
    const held = provide({})
    held.transport.receiver.received({
      type: 'registertrigger',
      id: 'T1',
      triggerType: 'tock',
      functionId: 'f',
      config: asJsonText('{}'),
      metadata: undefined,
      namespace: undefined,
      triggerNamespace: undefined,
    })
    expect(held.transport.take()).toMatchObject([{ error: { code: 'trigger_type_not_found' } }])
  })
})

describe('an unbind', () => {
  test('of what was bound is told once; of what was refused, never', () => {
    const unbound: string[] = []
    const held = provide({ unbind: ({ id }) => void unbound.push(id) })
    held.bind()
    held.unbind()
    held.unbind()
    expect(unbound).toEqual(['T1'])
    const refusing = provide({
      bind: () => throwIt(new Error('no')),
      unbind: ({ id }) => void unbound.push(id),
    })
    refusing.bind()
    refusing.unbind()
    expect(unbound).toEqual(['T1'])
  })

  test.each([
    ['at once', () => throwIt(Object.create(null))],
    ['later', () => Promise.reject(Object.create(null))],
  ] as const)('that fails %s harms nothing and is told to the program', async (_, unbind) => {
    const held = provide({ unbind })
    held.bind()
    held.unbind()
    await until('the warning', () => held.warnings.length > 0)
    expect(held.warnings[0]?.message).toContain('unbind of trigger T1 failed')
  })
})

function throwIt(thrown: unknown): never {
  throw thrown
}
