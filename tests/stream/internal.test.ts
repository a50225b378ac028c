/** What the two halves of the stream worker say to each other, said by somebody else. */
import { describe, expect, test } from 'bun:test'
import type { InvocationError } from '../../sdk/typescript/src/errors.ts'
import { ATTACH, GATEWAY, JOIN, LEAVE, RESYNC } from '../../workers/stream/names.ts'
import { packGreeting, packParcel } from '../../workers/stream/parcel.ts'
import { until } from '../support/waiting.ts'
import { item, type Streams, withStreams } from './support.ts'

function ask({ worker }: Streams, function_id: string, payload: unknown): Promise<string> {
  return worker.trigger({ function_id, payload }).then(
    () => 'answered',
    (error: unknown) => (error as InvocationError).code,
  )
}

/** As anybody finds it who looks at the connections. */
async function gatewayOf({ call }: Streams): Promise<string> {
  const [{ connection_id }] = (await call('presence', {})).subscriptions
  return `${GATEWAY}${connection_id.split(':')[0]}`
}

const joinOf = (gateway: string, secret: string, number = 1) => ({
  gateway,
  secret,
  rest: { connection: 'c', number, subscriptionId: 'sub', stream: 's', group: 'g', granted: true },
  context: null,
})

describe('somebody who is no gateway', () => {
  test('is not listened to without the secret of one', () =>
    withStreams({}, async streams => {
      const { call, connect } = streams
      const client = await connect()
      client.join('sub', 's', 'g')
      await client.has(1)
      const id = await gatewayOf(streams)
      expect(await ask(streams, JOIN, joinOf(id, 'guessed'))).toBe('NOT_ATTACHED')
      expect(await ask(streams, LEAVE, { gateway: id, secret: 'guessed', numbers: [1] })).toBe('NOT_ATTACHED')
      expect(await ask(streams, RESYNC, { gateway: id, secret: 'guessed', numbers: [1] })).toBe(
        'NOT_ATTACHED',
      )
      expect(await ask(streams, ATTACH, { gateway: id, secret: 'guessed' })).toBe('NOT_ATTACHED')
      expect(await ask(streams, ATTACH, { gateway: 'orders::delete', secret: 'mine' })).toBe('NOT_ATTACHED')
      expect(await ask(streams, JOIN, joinOf('orders::delete', 'mine'))).toBe('NOT_ATTACHED')
      expect((await call('presence', {})).count).toBe(1)
    }))

  test('is told what is wrong with what it says', () =>
    withStreams({}, async streams => {
      for (const wrong of [null, 1, [], {}, { gateway: 1 }, { gateway: 'g', secret: [] }]) {
        for (const id of [ATTACH, JOIN, LEAVE, RESYNC])
          expect(await ask(streams, id, wrong)).toBe('deserialization_error')
      }
    }))

  test('cannot tell clients anything', () =>
    withStreams({}, async streams => {
      const { call, connect } = streams
      const client = await connect()
      client.join('sub', 's', 'g')
      await client.has(1)
      const id = await gatewayOf(streams)
      const text = '{"type":"stream","forged":true}'
      const row = ['event', 's', 'g', null, 9e15, 0, text.length] as const
      await ask(streams, id, JSON.parse(packGreeting('guessed', 'key')))
      await ask(streams, id, JSON.parse(packParcel('key', [{ row, text }])))
      for (const wrong of [null, [], {}, 'x', [1, 2, 3]]) await ask(streams, id, wrong)
      await call('set', item('a', { data: 1 }))
      const [, event] = await client.has(2)
      expect(event!.event).toEqual({ type: 'create', data: 1 })
    }))
})

describe('a gateway', () => {
  test('that joins a number twice, or attaches anew, has nothing left of before', () =>
    withStreams({}, async streams => {
      const { call, worker } = streams
      const left: string[] = []
      worker.registerFunction<{ subscription_id: string }>('left', ({ subscription_id }) => {
        left.push(subscription_id)
      })
      worker.registerTrigger({ type: 'stream:leave', function_id: 'left', config: {} })
      const gateway = `${GATEWAY}test`
      worker.registerFunction(gateway, () => undefined)
      const attach = (again: boolean): void => {
        void ask(streams, ATTACH, { gateway, secret: 'mine', again })
      }
      attach(false)
      expect(await ask(streams, JOIN, joinOf(gateway, 'mine'))).toBe('answered')
      expect(await ask(streams, JOIN, joinOf(gateway, 'mine'))).toBe('answered')
      expect(await ask(streams, JOIN, joinOf(gateway, 'mine', 2))).toBe('answered')
      expect((await call('presence', {})).count).toBe(2)
      await until('one has left', () => left.length === 1)
      attach(true)
      expect((await call('presence', {})).count).toBe(2)
      attach(false)
      await until('all have left', () => left.length === 3)
      expect((await call('presence', {})).count).toBe(0)
      expect(await ask(streams, JOIN, joinOf(gateway, 'mine', 2))).toBe('answered')
      expect((await call('presence', {})).count).toBe(1)
    }))
})
