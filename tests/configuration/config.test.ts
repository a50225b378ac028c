/** The `config:` block of `configuration`. */
import { describe, expect, test } from 'bun:test'
import { readConfig } from '../../src/config/read.ts'
import { knownWorkers } from '../../src/threads/placement.ts'
import { folders, threads } from '../config/support.ts'

function read(config: object, name = 'configuration') {
  const text = JSON.stringify({ workers: [{ name, config }] })
  return readConfig(text, {
    env: {},
    path: '/project/config.yaml',
    knownWorkers,
    insecure: false,
    threads,
    folders,
  })
}

function configOf(config: object, name?: string): unknown {
  const result = read(config, name)
  return result.ok
    ? result.settings.workers.find(each => each.name === 'configuration')?.config
    : result.problems
}

describe('the configuration worker', () => {
  test('runs with these settings when nothing is said', () => {
    const all = {
      adapter: { name: 'fs', config: { directory: './config' } },
      ttl_seconds: 0,
      history: 20,
      reveal_to: [],
    }
    expect(configOf({})).toEqual(all)
    expect(configOf({ adapter: { name: 'fs' } }, 'iii-configuration')).toEqual(all)
    expect(configOf({}, 'iii-http')).toEqual(all)
  })

  test.each([
    [
      { adapter: { name: 'bridge' } },
      'workers[0].config.adapter.name',
      'bridge comes with a later version; use fs',
    ],
    [{ adapter: { name: 'redis' } }, 'workers[0].config.adapter.name', 'the only adapter is fs'],
    [{ adapter: { config: { folder: 'x' } } }, 'workers[0].config.adapter.config.folder', 'unknown key'],
    [{ ttl: 5 }, 'workers[0].config.ttl', 'unknown key'],
    [{ history: 0 }, 'workers[0].config.history', 'Too small: expected number to be >=1'],
  ])('with %j is refused', (config, path, message) => {
    expect(configOf(config)).toMatchObject([{ path, message }])
  })
})
