/** The configuration worker, from a published client. */
import { expect } from 'bun:test'
import { failure, type Scenario } from './stage.ts'

/** An id of a configuration, made from one of a function. */
const plain = (id: string): string =>
  id
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(-60)

export const configuration: readonly Scenario[] = [
  {
    name: 'it registers a configuration, changes it and reads it',
    async run({ worker, raw, id }) {
      const entry = { id: plain(id('shop')), name: 'Shop', description: 'd' }
      const schema = { type: 'object', properties: { password: { writeOnly: true } } }
      const initial = { ...entry, schema, initial_value: { n: 1, password: 'pa55' } }
      const value = { n: 1, password: 'pa55' }
      expect(await worker.call('configuration::register', initial)).toEqual({
        ...entry,
        schema,
        value,
        revision: 1,
      })
      const next = { n: 2, password: 'pa55' }
      expect(await worker.call('configuration::set', { id: entry.id, value: next })).toEqual({
        old_value: value,
        new_value: next,
        revision: 2,
      })
      expect(await worker.call('configuration::get', { id: entry.id })).toEqual({
        id: entry.id,
        value: next,
        revision: 2,
      })
      expect(await worker.call('configuration::schema', { id: entry.id })).toEqual({ ...entry, schema })
      // Somebody who has said no name.
      const seen = await raw.call('configuration::get', { id: entry.id })
      expect(seen.result).toMatchObject({ value: { n: 2, password: '***' } })
      await worker.call('configuration::rollback', { id: entry.id, revision: 1 })
      await worker.call('configuration::patch', { id: entry.id, patch: { m: true } })
      expect(await worker.call('configuration::get', { id: entry.id })).toMatchObject({
        value: { n: 1, password: 'pa55', m: true },
      })
      const listed = (await worker.call('configuration::list', {})) as { configurations: { id: string }[] }
      expect(listed.configurations.map(row => row.id)).toContain(entry.id)
    },
  },
  {
    name: 'errors of the configuration worker arrive with code and message',
    async run({ worker, id }) {
      const shop = plain(id('shop'))
      expect(await failure(worker.call('configuration::get', { id: shop }))).toEqual({
        code: 'NOT_FOUND',
        message: `configuration '${shop}' not found`,
      })
      const entry = { id: shop, name: '', description: '', schema: { type: 'integer' } }
      await worker.call('configuration::register', { ...entry, initial_value: 1 })
      expect(await failure(worker.call('configuration::set', { id: shop, value: 'x' }))).toEqual({
        code: 'SCHEMA_INVALID',
        message: 'schema validation failed: /: expected integer, got string',
      })
      expect(
        await failure(worker.call('configuration::set', { id: shop, value: 2, if_revision: 9 })),
      ).toEqual({
        code: 'REVISION_CONFLICT',
        message: `configuration '${shop}' is at revision 1, not 9; get it again and decide anew`,
      })
    },
  },
  {
    name: 'its function hears of changes of a configuration',
    only: ({ triggers }) => triggers,
    async run({ worker, id, bound }) {
      const shop = plain(id('shop'))
      await worker.offer(id('changed'), 'record')
      const config = { configuration_id: shop, event_types: ['configuration:updated'] }
      await worker.bind('configuration', id('changed'), config, { tag: 1 })
      await bound('configuration', id('changed'))
      const entry = { id: shop, name: 'Shop', description: 'd', schema: {} }
      await worker.call('configuration::register', { ...entry, initial_value: 1 })
      await worker.call('configuration::set', { id: shop, value: 2 })
      const call = await worker.called(id('changed'))
      expect(call.data).toEqual({
        type: 'configuration',
        event_type: 'configuration:updated',
        ...entry,
        old_value: 1,
        new_value: 2,
        revision: 2,
      })
      expect(call.metadata).toEqual({ tag: 1 })
    },
  },
]
