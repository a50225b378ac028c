/** Settings that change while a built-in worker runs, as the worker hears of them. */
import { describe, expect, test } from 'bun:test'
import type { BuiltInClient, Handler } from '../../sdk/typescript/src/worker.ts'
import { limits } from '../../src/protocol/limits.ts'
import { createSettings } from '../../workers/settings.ts'
import { createRecordingLog, createVirtualClock } from '../support/fakes.ts'

async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
}

function setUp({ isAlone = false } = {}) {
  const clock = createVirtualClock()
  const log = createRecordingLog()
  const functions = new Map<string, Handler>()
  const triggers: object[] = []
  const kept: { config: string; revision: number; error: object | undefined; asked: number } = {
    config: 'first',
    revision: 1,
    error: undefined,
    asked: 0,
  }
  const client = {
    registerFunction: (id: string, handler: Handler) => void functions.set(id, handler),
    registerTrigger: (definition: object) => void triggers.push(definition),
    async trigger() {
      kept.asked++
      if (kept.error !== undefined) throw kept.error
      return { config: kept.config, revision: kept.revision }
    },
  } as unknown as BuiltInClient
  const settings = createSettings<string>({ client, id: 'shop', isAlone, clock, log })
  const applied: string[] = []
  const change = (config: string): void => {
    kept.config = config
    kept.revision++
  }
  const told = () => functions.get('shop::on-config-change')!(undefined, undefined as never)
  return { settings, kept, applied, change, told, triggers, clock, log }
}

async function following() {
  const world = setUp()
  await world.settings.begin()
  const apply = (config: string): void => void world.applied.push(config)
  world.settings.follow(apply)
  await settled()
  return world
}

describe('a worker', () => {
  test('begins with the settings that are in force, and hears when they are others', async () => {
    const { settings, applied, change, told, triggers } = setUp()
    expect(await settings.begin()).toBe('first')
    settings.follow(config => void applied.push(config))
    await settled()
    expect(applied).toEqual([])
    expect(triggers).toMatchObject([
      { type: 'configuration', function_id: 'shop::on-config-change', config: { configuration_id: 'shop' } },
    ])
    change('second')
    expect(await told()).toEqual({ ok: true })
    expect(applied).toEqual(['second'])
  })

  test('has what was changed between its start and its trigger', async () => {
    const { settings, applied, change } = setUp()
    await settings.begin()
    change('meanwhile')
    settings.follow(config => void applied.push(config))
    await settled()
    expect(applied).toEqual(['meanwhile'])
  })

  test('applies one after the other, and of those that come meanwhile the last', async () => {
    const { settings, applied, change, told } = setUp()
    await settings.begin()
    const release: (() => void)[] = []
    settings.follow(config => {
      applied.push(config)
      return new Promise(resolve => release.push(resolve))
    })
    await settled()
    change('a')
    const first = told()
    await settled()
    change('b')
    const second = told()
    change('c')
    const third = told()
    await settled()
    expect(applied).toEqual(['a'])
    release.shift()!()
    await first
    await settled()
    expect(applied).toEqual(['a', 'c'])
    release.shift()!()
    await Promise.all([second, third])
  })

  test('tries again what could not be applied', async () => {
    const { settings, applied, change, told, clock, log } = setUp()
    await settings.begin()
    settings.follow(config => {
      applied.push(config)
      if (applied.length === 1) throw new Error('the disk is full')
    })
    await settled()
    change('a')
    expect(await told()).toEqual({ ok: true })
    clock.advance(limits.settingsRetryMs)
    await settled()
    expect(applied).toEqual(['a', 'a'])
    expect(log.lines.map(({ level }) => level)).toEqual(['warn', 'info'])
  })

  test('keeps its settings when those that are there cannot be used, and asks no more for them', async () => {
    const world = await following()
    world.kept.error = { code: 'SCHEMA_INVALID', message: 'adapter: no' }
    await world.told()
    expect(world.applied).toEqual([])
    expect(world.log.lines).toMatchObject([{ level: 'warn' }])
    const { asked } = world.kept
    world.clock.advance(10 * limits.settingsRetryMs)
    await settled()
    expect(world.kept.asked).toBe(asked)
  })

  test('has those of its start where nobody keeps any', async () => {
    const { settings, kept, log } = setUp()
    kept.error = { code: 'function_not_found' }
    expect(await settings.begin()).toBeUndefined()
    expect(log.lines).toEqual([])
  })

  test('in a process of its own has its settings for itself', async () => {
    const { settings, kept, triggers, told } = setUp({ isAlone: true })
    expect(await settings.begin()).toBeUndefined()
    settings.follow(() => {})
    expect(await told()).toEqual({ ok: true })
    expect(kept.asked).toBe(0)
    expect(triggers).toEqual([])
  })

  test('that stops asks no more', async () => {
    const world = await following()
    world.kept.error = { code: 'TIMEOUT' }
    await world.told()
    const { asked } = world.kept
    world.settings.stop()
    world.clock.advance(limits.settingsRetryMs)
    await settled()
    expect(world.kept.asked).toBe(asked)
  })
})
