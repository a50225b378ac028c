import { describe, expect, test } from 'bun:test'
import { stateConfigSchema } from '../../../workers/state/config.ts'
import { stateKeeping } from '../../../workers/state/keeping.ts'

const keeping = (config: unknown) => stateKeeping(stateConfigSchema.parse(config))

describe('the settings of the state', () => {
  test('keep it on disk unless they say otherwise', () => {
    expect(keeping({})).toEqual({ adapter: 'sqlite', folder: undefined })
    expect(keeping({ adapter: {} })).toEqual({ adapter: 'sqlite', folder: undefined })
    expect(keeping({ adapter: { name: 'kv' } })).toEqual({ adapter: 'sqlite', folder: undefined })
    const config = { store_method: 'file_based', file_path: 'data/state_store', save_interval_ms: 5000 }
    expect(keeping({ adapter: { name: 'kv', config } })).toEqual({
      adapter: 'sqlite',
      folder: 'data/state_store',
    })
    expect(keeping({ adapter: { config: { store_method: 'in_memory' } } })).toEqual({ adapter: 'memory' })
  })

  test.each([
    [{ adapter: { name: 'redis', config: {} } }, 'the adapter `redis` is not part of this version yet'],
    [{ adapter: { name: 'bridge' } }, 'the adapter `bridge` is not part of this version yet'],
    [{ adapter: { name: 'etcd' } }, 'there is no such adapter; there is `kv`'],
    [{ adapter: { config: { store_method: 'tape' } } }, 'file_based'],
    [{ adapter: { config: { path: 'x' } } }, 'path'],
    [{ max_value_bytes: -1 }, '>=0'],
    [{ durability: 'replicated' }, 'memory'],
    [{ scope_durability: { s: 'fast' } }, 'memory'],
    [{ trigger_enabled: true }, 'trigger_enabled'],
  ])('refuse %j', (config, why) => {
    const { error } = stateConfigSchema.safeParse(config)
    expect(error?.issues.map(({ message }) => message).join('\n')).toContain(why)
  })
})
