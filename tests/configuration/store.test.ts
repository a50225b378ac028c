/** What is on the disk after everything that can happen to a process, a disk and a file between two lines. */
import { describe, expect, test } from 'bun:test'
import * as yaml from 'yaml'
import { createRandom } from '../support/random.ts'
import { createMemoryFiles, DIRECTORY, fileOf, type MemoryFiles } from './memoryFiles.ts'
import { MOST_CHARACTERS, MOST_ENTRIES, OWNER, openRegistry, refusal, type TestRegistry } from './support.ts'

const RECORDS = `${DIRECTORY}/.history`

/** What a script of commands does, one after the other; each says when it was acknowledged. */
const script: readonly ((test: TestRegistry) => Promise<unknown>)[] = [
  test => test.register('shop', { n: 1 }, { type: 'object' }),
  test => test.set('shop', { n: 2 }),
  test => test.register('shop', undefined, { type: 'object', title: 'shop' }),
  test => test.registry.delete('shop', undefined, OWNER),
  test => test.register('shop', { n: 3 }, { type: 'object' }),
  test => test.set('shop', { n: 4 }),
]

/** The state after each step of the script when nothing goes wrong: value, schema and revision. */
async function expectedStates(): Promise<string[]> {
  const run = await openRegistry()
  const states = [stateOf(run)]
  for (const command of script) {
    await command(run)
    states.push(stateOf(run))
  }
  return states
}

function stateOf({ registry }: TestRegistry): string {
  const entry = registry.find('shop')
  return entry === undefined ? 'none' : JSON.stringify([entry.value, entry.schema, entry.revision])
}

/** Runs the script on files that die at a step; returns how many commands were acknowledged. */
async function runUntilKilled(files: MemoryFiles, at: number): Promise<number> {
  const run = await openRegistry(files)
  files.killAt(at)
  let done = 0
  for (const command of script) {
    try {
      await command(run)
    } catch {
      return done
    }
    done++
  }
  return done
}

describe('an end at any step of a write', () => {
  test('leaves what was acknowledged, and of the write under way all or nothing', async () => {
    const states = await expectedStates()
    const whole = createMemoryFiles()
    await runUntilKilled(whole, Number.POSITIVE_INFINITY)
    const total = whole.steps()
    expect(total).toBeGreaterThan(30)
    const random = createRandom(Number(process.env.III_TEST_SEED ?? 1))
    for (let at = 1; at <= total; at++) {
      // A kill of the process, and some losses of power.
      for (const power of [undefined, random, random, random, random]) {
        const files = createMemoryFiles()
        const done = await runUntilKilled(files, at)
        files.restart(power)
        const after = await openRegistry(files)
        expect(
          [states[done], states[done + 1]],
          `killed at step ${at}, power lost: ${power !== undefined}`,
        ).toContain(stateOf(after))
        const text = files.text(fileOf('shop'))
        const value = text === undefined ? undefined : (yaml.parse(text) as { value: unknown }).value
        expect(value as never).toEqual(after.value('shop') as never)
        // It can go on, and revisions do not come again.
        const before = after.revision('shop') ?? 0
        await after.register('shop', { n: 99 })
        expect(after.revision('shop')!).toBeGreaterThan(before)
      }
    }
  })

  test('does not bring revisions of a deleted configuration back', async () => {
    const run = await openRegistry()
    await run.register('shop', 1)
    await run.set('shop', 2)
    await run.registry.delete('shop', undefined, OWNER)
    const again = await openRegistry(run.files)
    expect(again.registry.find('shop')).toBeUndefined()
    await again.register('shop', 3)
    expect(again.revision('shop')).toBe(4)
  })
})

describe('a disk that fails', () => {
  test.each([
    ['the record', (step: string, path: string) => step === 'write' && path.endsWith('.b.json')],
    ['the draft of the file', (step: string, path: string) => step === 'write' && path.endsWith('.draft')],
    ['the rename', (step: string, path: string) => step === 'rename' && path.endsWith('.yaml')],
  ])('refuses a write with ADAPTER_ERROR when %s does not fit, and nothing has changed', async (_, which) => {
    const run = await openRegistry()
    await run.register('shop', 1)
    const text = run.files.text(fileOf('shop'))
    run.files.failNext('ENOSPC', which)
    expect(await refusal(run.set('shop', 2))).toStartWith(
      "ADAPTER_ERROR: configuration 'shop' could not be written, and is as it was: ENOSPC",
    )
    expect(run.value('shop')).toBe(1)
    expect(run.files.text(fileOf('shop'))).toBe(text)
    expect(run.files.names(RECORDS)).toEqual(['shop.a.json'])
    expect(run.events).toHaveLength(1)
    await run.set('shop', 3)
    expect((await openRegistry(run.files)).value('shop')).toBe(3)
  })

  test('says so when the last sync fails: the value is in force and may be lost', async () => {
    const run = await openRegistry()
    await run.register('shop', 1)
    run.files.failNext('EIO', (step, path) => step === 'syncFolder' && path === DIRECTORY)
    expect(await refusal(run.set('shop', 2))).toStartWith(
      "ADAPTER_ERROR: configuration 'shop' is written and in force: the disk has not confirmed it",
    )
    expect(run.value('shop')).toBe(2)
    expect(run.events.at(-1)?.newValue).toBe(2)
  })

  test('a record that cannot be read is left out with a warning, and the file counts', async () => {
    const run = await openRegistry()
    await run.register('shop', { n: 1 }, { type: 'object' })
    run.files.edit(`${RECORDS}/shop.a.json`, '{"format":1,')
    const again = await openRegistry(run.files)
    expect(again.value('shop')).toEqual({ n: 1 })
    expect(again.log.warnings()).toContain('a record of a configuration cannot be read and is not used')
  })
})

describe('the folder', () => {
  test('is not made before there is an entry', async () => {
    const run = await openRegistry()
    await run.registry.lookAgain(undefined)
    expect(await run.files.list(DIRECTORY)).toBeUndefined()
    expect(run.files.steps()).toBe(0)
  })

  test('has a file for people and a record for the engine', async () => {
    const run = await openRegistry()
    await run.register('shop', { port: 3111, url: 'http://x', list: [1, 'two'] })
    expect(run.files.text(fileOf('shop'))).toBe(
      'id: shop\nname: shop\ndescription: ""\nvalue:\n  port: 3111\n  url: http://x\n  list:\n    - 1\n    - two\n',
    )
    expect(run.files.names(RECORDS)).toEqual(['shop.a.json'])
  })

  test('schema, history and revision are there after a restart, so that values can be set at once', async () => {
    const run = await openRegistry()
    await run.register('shop', 1, { type: 'integer' })
    await run.set('shop', 2)
    const again = await openRegistry(run.files)
    expect(again.registry.find('shop')).toEqual(run.registry.find('shop'))
    await again.set('shop', 3)
    expect(await refusal(again.set('shop', 'x'))).toBe(
      'SCHEMA_INVALID: schema validation failed: /: expected integer, got string',
    )
  })

  test('a file without a record is an entry whose schema nobody knows yet', async () => {
    const files = createMemoryFiles()
    files.edit(fileOf('shop'), 'id: shop\nname: Shop\nvalue: { n: 1 }\n')
    const run = await openRegistry(files)
    expect(run.value('shop')).toEqual({ n: 1 })
    expect(await refusal(run.set('shop', 1))).toBe(
      "SCHEMA_UNAVAILABLE: configuration 'shop' has no schema available yet; the owning worker must register before values can be set",
    )
    await run.register('shop')
    expect(run.value('shop')).toEqual({ n: 1 })
  })

  test('a file of somebody else is left alone', async () => {
    const files = createMemoryFiles()
    files.edit(fileOf('database'), 'production:\n  host: db\n')
    const run = await openRegistry(files)
    expect(run.registry.entries()).toEqual([])
    expect(run.log.warnings()).toEqual([])
    expect(await refusal(run.register('database', 1))).toStartWith(
      `ADAPTER_ERROR: the file ${fileOf('database')} belongs to somebody else and is left alone`,
    )
    expect(files.text(fileOf('database'))).toBe('production:\n  host: db\n')
  })
})

describe('all entries together', () => {
  test('have a bound; what is deleted makes room', async () => {
    const run = await openRegistry()
    const value = 'x'.repeat(MOST_CHARACTERS / 5)
    await run.register('one', value)
    await run.register('two', value)
    expect(await refusal(run.register('three', value))).toStartWith(
      'VALUE_TOO_LARGE: all configurations together, with their history, may have',
    )
    await run.registry.delete('one', undefined, OWNER)
    await run.register('three', value)
    const again = await openRegistry(run.files)
    expect(await refusal(again.register('four', value))).toStartWith('VALUE_TOO_LARGE')
  })
})

describe('deleted entries', () => {
  test('take no place, and the last of them go on with their revisions', async () => {
    const run = await openRegistry()
    const remove = (id: string) => run.registry.delete(id, undefined, OWNER)
    for (let n = 0; n < 2 * MOST_ENTRIES; n++) {
      await run.register(`a${n}`, n)
      await remove(`a${n}`)
    }
    for (let n = 0; n < MOST_ENTRIES; n++) await run.register(`z${n}`, n)
    expect(await refusal(run.register('more', 1))).toStartWith('ADAPTER_ERROR: there are 10 configurations')
    await run.registry.idle()
    // Three that are deleted, one record each, and the others.
    expect(run.files.names(RECORDS)).toHaveLength(3 + MOST_ENTRIES)

    const again = await openRegistry(run.files)
    expect(again.registry.entries()).toHaveLength(MOST_ENTRIES)
    await again.registry.delete('z0', undefined, OWNER)
    await again.register('a19', 1)
    expect(again.revision('a19')).toBe(3)
    await again.registry.delete('a19', undefined, OWNER)
    await again.register('a0', 1)
    expect(again.revision('a0')).toBe(1)
  })

  test('keep nobody out who has a file', async () => {
    const run = await openRegistry()
    await run.register('zoo', 1)
    for (let n = 0; n < 2 * MOST_ENTRIES; n++) {
      await run.files.write(
        `${RECORDS}/a${n}.a.json`,
        `{"format":1,"file":null,"id":"a${n}","revision":2,"deleted":true}`,
        0o600,
      )
    }
    expect((await openRegistry(run.files)).value('zoo')).toBe(1)
  })
})
