import { describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CommandError } from '../../src/cli/commandError.ts'
import { chooseConfigFile, readConfigFile } from '../../src/cli/serve/configFile.ts'
import { readConfig } from '../../src/config/read.ts'
import { folders, threads } from '../config/support.ts'
import { fakeTerminal, temporaryFolder } from './support.ts'

describe('the configuration file', () => {
  test('is found in the working directory or the nearest folder above it', async () => {
    using folder = temporaryFolder()
    const inner = join(folder.path, 'a/b')
    mkdirSync(inner, { recursive: true })
    writeFileSync(join(folder.path, 'config.yaml'), '')
    expect(await chooseConfigFile(undefined, fakeTerminal({ cwd: inner }))).toBe(
      join(folder.path, 'config.yaml'),
    )
    writeFileSync(join(folder.path, 'a/config.yaml'), '')
    expect(await chooseConfigFile(undefined, fakeTerminal({ cwd: inner }))).toBe(
      join(folder.path, 'a/config.yaml'),
    )
  })

  test('that is named is taken relative to the working directory, and not looked for elsewhere', async () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'other.yaml'), '')
    expect(await chooseConfigFile('other.yaml', fakeTerminal({ cwd: folder.path }))).toBe(
      join(folder.path, 'other.yaml'),
    )
  })
})

describe('a missing file, with nobody to ask', () => {
  test('a starter is written, and a note names its absolute path and how to have HTTP', async () => {
    using folder = temporaryFolder()
    const terminal = fakeTerminal({ cwd: folder.path })
    const path = await chooseConfigFile(undefined, terminal)
    expect(path).toBe(join(folder.path, 'config.yaml'))
    expect(terminal.stderr()).toContain(path)
    expect(terminal.stderr()).toContain('start --defaults')
    expect(terminal.stdout()).toBe('')
    const text = readFileSync(path, 'utf8')
    expect(text).toEndWith('\nworkers: []\n')
    const context = { env: {}, knownWorkers: new Map(), insecure: false, path, threads, folders }
    expect(readConfig(text, context).ok).toBe(true)
  })

  test('a compose file nearby is mentioned', async () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'worker-compose.yaml'), '')
    const terminal = fakeTerminal({ cwd: folder.path })
    await chooseConfigFile(undefined, terminal)
    expect(terminal.stderr()).toContain(join(folder.path, 'worker-compose.yaml'))
  })
})

describe('a named file that does not exist', () => {
  const refusalOf = async (named: string, cwd: string): Promise<CommandError> =>
    await chooseConfigFile(named, fakeTerminal({ cwd, answer: 'y' })).then(
      () => {
        throw new Error('was not refused')
      },
      thrown => thrown as CommandError,
    )

  test('is refused with the nearest name, and never written', async () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'production.yaml'), '')
    const { code, causes, fix } = await refusalOf('prodction.yaml', folder.path)
    expect({ code, causes }).toEqual({
      code: 'config_missing',
      causes: ['the nearest name there is production.yaml'],
    })
    expect(fix).toBe(`did you mean start --config ${join(folder.path, 'production.yaml')}?`)
    expect(existsSync(join(folder.path, 'prodction.yaml'))).toBe(false)
  })

  test('without a near name, or in a folder that is not there, is refused, too', async () => {
    using folder = temporaryFolder()
    expect((await refusalOf('mine.yaml', folder.path)).fix).toContain('start --defaults')
    const { causes } = await refusalOf('no/such/config.yaml', folder.path)
    expect(causes).toEqual([`there is no folder ${join(folder.path, 'no/such')}`])
    expect(existsSync(join(folder.path, 'no'))).toBe(false)
  })
})

describe('a missing file, on a terminal', () => {
  test.each(['', 'y', 'Y', 'yes', ' y '])('the answer %j writes the starter', async answer => {
    using folder = temporaryFolder()
    const terminal = fakeTerminal({ cwd: folder.path, answer })
    const path = await chooseConfigFile(undefined, terminal)
    expect(terminal.stderr()).toContain('[Y/n]')
    expect(existsSync(path)).toBe(true)
  })

  test.each(['n', 'no', 'never', 'x'])(
    'the answer %j writes nothing and fails with exit code 1',
    async answer => {
      using folder = temporaryFolder()
      const error = await chooseConfigFile(undefined, fakeTerminal({ cwd: folder.path, answer })).catch(
        thrown => thrown,
      )
      expect(error).toBeInstanceOf(CommandError)
      expect(error.exitCode).toBe(1)
      expect(existsSync(join(folder.path, 'config.yaml'))).toBe(false)
    },
  )
})

test('leaving the question writes nothing and ends with exit code 130', async () => {
  using folder = temporaryFolder()
  const terminal = fakeTerminal({ cwd: folder.path, answer: undefined })
  const error = await chooseConfigFile(undefined, terminal).catch(thrown => thrown)
  expect(error).toBeInstanceOf(CommandError)
  expect(error.exitCode).toBe(130)
  expect(existsSync(join(folder.path, 'config.yaml'))).toBe(false)
})

test('a path that is not a readable file is named', () => {
  using folder = temporaryFolder()
  expect(() => readConfigFile(folder.path)).toThrow(folder.path)
})

test('a file without an end is refused, and one of many megabytes at once', () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'large.yaml')
  writeFileSync(path, `workers: []\n${'# comment\n'.repeat(500_000)}`)
  for (const large of [path, '/dev/zero']) expect(() => readConfigFile(large)).toThrow(`cannot read ${large}`)
  writeFileSync(path, 'workers: []\n')
  expect(readConfigFile(path)).toBe('workers: []\n')
})
