/** The state: a published client sets, reads, changes and lists values, and is called when they change. */
import { expect } from 'bun:test'
import { failure, type Scenario } from './stage.ts'

const missing = undefined

export const state: readonly Scenario[] = [
  {
    name: 'it sets, gets, deletes: values before and after, nothing for what is missing',
    async run({ worker, id }) {
      const at = { scope: id('scope'), key: 'k' }
      expect(await worker.call('state::get', at)).toBe(missing)
      const value = { text: 'ü', list: [1, 2.5, null, true], nested: { '10': 1, a: {} } }
      expect(await worker.call('state::set', { ...at, value })).toMatchObject({
        old_value: null,
        new_value: value,
      })
      expect(await worker.call('state::set', { ...at, data: 5 })).toMatchObject({
        old_value: value,
        new_value: 5,
      })
      expect(await worker.call('state::get', at)).toBe(5)
      expect(await worker.call('state::delete', at)).toBe(5)
      expect(await worker.call('state::delete', at)).toBe(missing)
      expect(await worker.call('state::get', at)).toBe(missing)
      expect(await failure(worker.call('state::set', at))).toEqual({
        code: 'deserialization_error',
        message: expect.stringContaining('missing field `value`'),
      })
    },
  },
  {
    name: 'it updates by operations, and hears which of them failed',
    async run({ worker, id }) {
      const at = { scope: id('scope'), key: 'k' }
      const ops = [
        { type: 'set', path: 'status', value: 'new' },
        { type: 'increment', path: 'count', by: 2 },
        { type: 'append', path: ['log', 'lines'], value: 'one' },
        { type: 'merge', path: ['by', 'user'], value: { ada: 1 } },
        { type: 'increment', path: 'status', by: 1 },
      ]
      const new_value = { status: 'new', count: 2, log: { lines: ['one'] }, by: { user: { ada: 1 } } }
      expect(await worker.call('state::update', { ...at, ops })).toMatchObject({
        old_value: null,
        new_value,
        errors: [{ op_index: 4, code: 'increment.not_number' }],
      })
      expect(await worker.call('state::get', at)).toEqual(new_value)
    },
  },
  {
    name: 'it lists values and scopes, and is refused what is of another version',
    async run({ worker, id }) {
      const scope = id('scope')
      for (const key of ['b', 'a']) await worker.call('state::set', { scope, key, value: key })
      expect(await worker.call('state::list', { scope })).toEqual(['b', 'a'])
      const groups = { prefix: scope }
      expect(await worker.call('state::list_groups', groups)).toEqual({ groups: [scope] })
      const set = { scope, key: 'a', value: 1, if_version: 0 }
      expect((await failure(worker.call('state::set', set))).code).toBe('VERSION_CONFLICT')
    },
  },
  {
    name: 'its trigger fires for what others write, in order, with metadata and condition',
    only: ({ triggers }) => triggers,
    async run({ worker, raw, id, bound }) {
      const scope = id('scope')
      await worker.offer(id('target'), 'record')
      const config = { scope, key: 'k', condition: 'new_value.n > 1 || event_type == "state:deleted"' }
      await worker.bind('state', id('target'), config, { team: 'x' })
      await bound('state', id('target'))
      const at = { scope, key: 'k' }
      for (const n of [1, 2, 3]) await raw.call('state::set', { ...at, value: { n } })
      await raw.call('state::set', { scope, key: 'other', value: { n: 5 } })
      await raw.call('state::delete', at)
      const event = { type: 'state', ...at }
      const seen = [
        { ...event, event_type: 'state:updated', old_value: { n: 1 }, new_value: { n: 2 } },
        { ...event, event_type: 'state:updated', old_value: { n: 2 }, new_value: { n: 3 } },
        { ...event, event_type: 'state:deleted', old_value: { n: 3 }, new_value: null },
      ]
      for (const data of seen) {
        const called = await worker.called(id('target'))
        expect(called.data).toEqual(data)
        expect(called.metadata).toEqual({ team: 'x' })
      }
    },
  },
]
