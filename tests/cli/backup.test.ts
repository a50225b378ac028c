/** `iii backup`, `iii restore`, `iii doctor --data`, with engines and without. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { limits } from '../../src/protocol/limits.ts'
import { connectRaw } from '../support/rawClient.ts'
import { type RunningEngine, runIii, startEngine, temporaryFolder } from './support.ts'

const PATIENT_MS = 60_000
const BACKUP = 'engine::storage::backup'

let folder: ReturnType<typeof temporaryFolder>
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => folder[Symbol.dispose]())

const at = (name: string): string => join(folder.path, name)
const startWithState = (words: string[] = []): Promise<RunningEngine> =>
  startEngine(folder.path, { workers: '  - name: iii-state\n', words })
const urlOf = ({ port }: RunningEngine): string => `ws://127.0.0.1:${port}`
const iii = (...words: string[]) => runIii(words, { cwd: folder.path })

async function stop(engine: RunningEngine): Promise<void> {
  engine.kill('SIGTERM')
  expect((await engine.finished).exitCode).toBe(0)
}

async function get(engine: RunningEngine, key: string): Promise<unknown> {
  await using client = await connectRaw(urlOf(engine))
  return (await client.call('state::get', { scope: 's', key })).result
}

async function set(engine: RunningEngine, key: string, value: unknown): Promise<void> {
  await using client = await connectRaw(urlOf(engine))
  expect((await client.call('state::set', { scope: 's', key, value })).error).toBeUndefined()
}

describe('a backup of a running engine', () => {
  test(
    'is taken to the file that was named, and restored to what it was then',
    async () => {
      await using engine = await startWithState()
      await set(engine, 'k', 1)
      const words = ['--address', urlOf(engine)]
      const made = await iii('backup', 'kept.db', '--json', ...words)
      expect(made.stderr).toBe('')
      expect(JSON.parse(made.stdout)).toMatchObject({ file: at('kept.db'), folder: at('data') })
      expect(readdirSync(at('data/backups'))).toEqual([])
      expect([at('kept.db'), at('data/backups')].map(path => statSync(path).mode & 0o777)).toEqual([
        0o600, 0o700,
      ])

      const again = await iii('backup', 'kept.db', ...words)
      expect(again.exitCode).toBe(2)
      expect(again.stderr).toContain('is there already')
      expect((await iii('backup', 'kept.db', '--force', ...words)).exitCode).toBe(0)

      await set(engine, 'k', 2)
      for (const command of [
        ['restore', 'kept.db', '--data', 'data', '--force'],
        ['restore', 'kept.db'],
        ['doctor', '--data'],
        ['backup', 'other.db', '--data', 'data'],
      ]) {
        const refused = await iii(...command)
        expect(refused.exitCode).toBe(1)
        expect(refused.stderr).toContain('[data_folder_in_use]')
        if (command[0] === 'backup') expect(refused.stderr).toContain('fix: leave out --data')
      }
      await stop(engine)

      const unforced = await iii('restore', 'kept.db')
      expect(unforced.exitCode).toBe(1)
      expect(unforced.stderr).toContain('There is data in')
      expect(unforced.stderr).toMatch(/^fix: .*--force$/m)
      expect((await iii('restore', 'kept.db', '--force')).exitCode).toBe(0)
      expect((await iii('doctor', '--data')).stdout).toContain('as it was written')
      await using restored = await startWithState()
      expect(await get(restored, 'k')).toBe(1)
    },
    PATIENT_MS,
  )

  test(
    'is made nowhere but in its own folder, whoever asks, and only so many of them',
    async () => {
      await using engine = await startWithState()
      await using client = await connectRaw(urlOf(engine))
      for (const name of ['../x.db', '/tmp/x.db', '.x', '', 'a/b', 7, `${'x'.repeat(101)}`]) {
        expect((await client.call(BACKUP, { name })).error?.code).toBe('INVALID_ARGUMENTS')
      }
      expect((await client.call(BACKUP, { folder: '/tmp' })).error?.code).toBe('INVALID_ARGUMENTS')
      expect(await client.call(BACKUP, { name: 'a.db' })).toMatchObject({
        result: { file: at('data/backups/a.db'), folder: at('data') },
      })
      expect((await client.call(BACKUP, { name: 'a.db' })).error?.message).toContain('already')
      for (let n = readdirSync(at('data/backups')).length; n < limits.backups; n++)
        writeFileSync(at(`data/backups/${n}`), '')
      expect((await client.call(BACKUP)).error?.code).toBe('limit_exceeded')
      for (const name of readdirSync(at('data/backups'))) rmSync(at(`data/backups/${name}`))
      writeFileSync(at('data/backups/.left by a kill.new'), '')
      const names = Array.from({ length: 3 * limits.backups }, (_, n) => (n === 1 ? '0.new' : `${n}`))
      const atOnce = await Promise.all([...names, '0'].map(name => client.call(BACKUP, { name })))
      const made = atOnce.filter(({ error }) => error === undefined)
      expect(made).toHaveLength(limits.backups)
      expect(atOnce.at(-1)?.error?.message).toContain('already')
      expect(readdirSync(at('data/backups'))).toHaveLength(limits.backups)
      const { result } = await client.call('engine::storage::status')
      expect(result).toMatchObject({ folders: [{ folder: at('data'), health: 'ok' }] })
    },
    PATIENT_MS,
  )
})

/** Says of any call that a backup was made, and names a file that is none. */
function serveLies(file: string, bytes: number): ReturnType<typeof Bun.serve> {
  return Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: (request, server) =>
      server.upgrade(request, { data: undefined }) ? undefined : new Response('', { status: 400 }),
    websocket: {
      open: socket => void socket.send('{"type":"workerregistered","worker_id":"w","reattach_token":"t"}'),
      message(socket, text) {
        const { type, invocation_id, function_id } = JSON.parse(String(text))
        if (type !== 'invokefunction' || invocation_id === undefined) return
        const result = { file, folder: folder.path, bytes, ms: 1 }
        socket.send(JSON.stringify({ type: 'invocationresult', invocation_id, function_id, result }))
      },
    },
  })
}

test(
  'a backup is taken from nowhere but where the engine was asked to put it, whatever the answer says',
  async () => {
    writeFileSync(at('precious'), 'all I have')
    const server = serveLies(at('precious'), 10)
    try {
      const refused = await iii('backup', 'kept.db', '--address', `ws://127.0.0.1:${server.port}`)
      expect(refused.exitCode).toBe(1)
      expect(refused.stderr).toContain('cannot be taken from here')
    } finally {
      await server.stop(true)
    }
    expect(readFileSync(at('precious'), 'utf8')).toBe('all I have')
    expect(existsSync(at('kept.db'))).toBe(false)
  },
  PATIENT_MS,
)

test(
  'without an engine a folder is backed up, restored elsewhere and looked at',
  async () => {
    const engine = await startWithState(['--data', 'elsewhere'])
    await set(engine, 'k', 'v')
    await stop(engine)
    expect(existsSync(at('data'))).toBe(false)
    expect((await iii('backup', 'kept.db', '--data', 'elsewhere')).exitCode).toBe(0)
    expect((await iii('restore', 'kept.db', '--data', 'third')).exitCode).toBe(0)
    const report = JSON.parse((await iii('doctor', '--data', 'third', '--json')).stdout)
    expect(report).toMatchObject({ folder: at('third'), problems: [], entries: 1 })

    // A backup that is damaged changes nothing.
    const bytes = readFileSync(at('kept.db'))
    bytes.fill(0xff, bytes.length / 2)
    writeFileSync(at('damaged.db'), bytes)
    const refused = await iii('restore', 'damaged.db', '--data', 'third', '--force')
    expect(refused.exitCode).toBe(1)
    expect(refused.stderr).toContain('[data_folder_corrupt]')
    expect(refused.stderr).toContain('fix: restore another backup')

    // Who looks at a folder is not told to do just that.
    const file = at('third/partition.db')
    writeFileSync(file, bytes)
    const looked = await iii('doctor', '--data', 'third')
    expect(looked.exitCode).toBe(1)
    expect(looked.stdout).toContain('is damaged')
    expect(looked.stdout).not.toContain('iii doctor')
    rmSync(at('third'), { recursive: true })
    expect((await iii('restore', 'kept.db', '--data', 'third')).exitCode).toBe(0)
    expect((await iii('doctor', '--data', 'third')).exitCode).toBe(0)
  },
  PATIENT_MS,
)

describe('commands about data that cannot be carried out', () => {
  test.each<[words: string[], code: string, exitCode: number]>([
    [['backup'], 'wrong_usage', 2],
    [['backup', 'x.db', '--port', '1'], 'ENGINE_UNREACHABLE', 1],
    [['backup', 'x.db', '--data', 'nowhere'], 'data_folder_unusable', 1],
    [['restore', 'nothing.db'], 'input_unreadable', 1],
    [['doctor'], 'not_in_this_version', 1],
    [['doctor', '--data', 'nowhere'], 'data_folder_unusable', 1],
  ])('%j say why: %s', async (words, code, exitCode) => {
    const finished = await iii(...words)
    expect(finished).toMatchObject({ exitCode, stdout: '' })
    expect(finished.stderr).toContain(`[${code}]`)
    expect(finished.stderr).toContain('fix: ')
    // HOME is this folder; the runtime keeps a cache there.
    expect(readdirSync(folder.path).filter(name => name !== '.bun')).toEqual([])
  })

  test(
    'a backup of an engine with several data folders says how each is asked for',
    async () => {
      const own =
        '  - name: iii-stream\n    config: { port: 0, adapter: { name: kv, config: { file_path: own } } }\n'
      await using engine = await startEngine(folder.path, { workers: `  - name: iii-state\n${own}` })
      const { exitCode, stderr } = await iii('backup', 'x.db', '--address', urlOf(engine))
      expect(exitCode).toBe(1)
      expect(stderr).toContain(at('own'))
      expect(stderr).toMatch(/^fix: .* trigger engine::storage::backup folder=FOLDER$/m)
      await using client = await connectRaw(urlOf(engine))
      expect((await client.call(BACKUP, { folder: at('own') })).error).toBeUndefined()
    },
    PATIENT_MS,
  )

  test(
    'a backup of an engine that keeps nothing says so',
    async () => {
      await using engine = await startEngine(folder.path)
      const { exitCode, stderr } = await iii('backup', 'x.db', '--address', urlOf(engine))
      expect(exitCode).toBe(1)
      expect(stderr).toContain('it keeps nothing on disk')
    },
    PATIENT_MS,
  )
})
