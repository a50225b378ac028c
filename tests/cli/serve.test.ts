/** `iii` without a command, up to the engine: what it is started with, and what becomes of its failures. */
import { describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { CommandError, describeFailure } from '../../src/cli/commandError.ts'
import type { ServeFlags } from '../../src/cli/serve/flags.ts'
import { serve } from '../../src/cli/serve/run.ts'
import type { Settings } from '../../src/config/settings.ts'
import type { Log } from '../../src/log/log.ts'
import { fakeTerminal, temporaryFolder } from './support.ts'

const knownWorkers = new Map([['iii-http', { schema: z.strictObject({}), multiple: true }]])

/** Runs until the engine would run, then stops it. */
async function startWith(flags: ServeFlags, terminal: ReturnType<typeof fakeTerminal>) {
  let received: Settings | undefined
  let log: Log | undefined
  const exitCode = await serve(flags, terminal, {
    knownWorkers,
    async startEngine(settings, options) {
      received = settings
      log = options.log
      setTimeout(() => terminal.signal('SIGTERM'))
      return {
        addresses: { workers: 'ws://127.0.0.1:1' },
        failed: new Promise(() => {}),
        drain: async () => {},
        stop: async () => {},
      }
    },
  })
  return { exitCode, settings: received!, log: log! }
}

async function failureOf(work: Promise<unknown>): Promise<CommandError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof CommandError) return error
  throw new Error('did not fail as a command', { cause: error })
}

describe('the settings', () => {
  test('--defaults reads and writes no file', async () => {
    using folder = temporaryFolder()
    const { exitCode, settings } = await startWith({ defaults: true }, fakeTerminal({ cwd: folder.path }))
    expect(exitCode).toBe(0)
    expect(settings.file).toBeUndefined()
    expect(settings.workers.map(worker => worker.name)).toEqual(['iii-http'])
    expect(existsSync(join(folder.path, 'config.yaml'))).toBe(false)
  })

  test.each([
    [{ insecure: true }, {}, true],
    [{}, { III_INSECURE: '1' }, true],
    [{}, { III_INSECURE: 'true' }, true],
    [{}, { III_INSECURE: '0' }, false],
    [{}, { III_INSECURE: '' }, false],
    [{}, {}, false],
  ] as const)('%j with %j is insecure: %p', async (flags, env, insecure) => {
    const { settings } = await startWith({ defaults: true, ...flags }, fakeTerminal({ env }))
    expect(settings.insecure).toBe(insecure)
  })

  test('a value of a variable that means nothing is refused', async () => {
    for (const env of [
      { III_INSECURE: 'maybe' },
      { III_LOG_LEVEL: 'loud' },
      { III_NAMESPACE_GRACE_MS: 'soon' },
    ]) {
      const error = await failureOf(startWith({ defaults: true }, fakeTerminal({ env })))
      expect({ code: error.code, exitCode: error.exitCode }).toEqual({
        code: 'environment_invalid',
        exitCode: 2,
      })
      expect(error.message).toContain(Object.keys(env)[0]!)
      expect(error.causes).toEqual([`it is '${Object.values(env)[0]}'`])
    }
  })

  test('a refused file is described by its path, each problem by its place', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'config.yaml')
    // biome-ignore lint/suspicious/noTemplateCurlyInString: expanded by the reader of the file
    await Bun.write(path, 'workers:\n  - name: http\n    config: { prot: ${PASSWORD} }\n  - nme: x\n')
    const terminal = fakeTerminal({ cwd: folder.path, env: { PASSWORD: 'hunter2' } })
    const text = describeFailure(await failureOf(startWith({}, terminal)))
    expect(text.split('\n')).toEqual([
      `error: Failed to parse config file '${path}': 3 problems [config_invalid]`,
      'cause: line 3, column 15: workers[0].config.prot: unknown key',
      'cause: line 4, column 5: workers[1].name: missing, a string is needed',
      "cause: line 4, column 5: workers[1].nme: unknown key. Did you mean 'name'?",
      'fix: correct it and start again',
      '',
    ])
  })

  test('warnings about a file go to the log', async () => {
    using folder = temporaryFolder()
    await Bun.write(join(folder.path, 'config.yaml'), 'workers: [{ name: queue }]')
    const terminal = fakeTerminal({ cwd: folder.path })
    await startWith({}, terminal)
    expect(terminal.stderr()).toContain(
      '"level":"warn","message":"queue (line 1) is not part of this version yet',
    )
  })
})

describe('the log', () => {
  test('is JSON away from a terminal, human when asked for, at the level of flag or environment', async () => {
    const json = fakeTerminal()
    ;(await startWith({ defaults: true }, json)).log.info('hello')
    expect(json.stderr()).toContain('"message":"hello"')
    const human = fakeTerminal({ env: { III_LOG_LEVEL: 'ERROR' } })
    const { log } = await startWith({ defaults: true, logFormat: 'human' }, human)
    log.warn('hidden')
    log.error('shown')
    expect(human.stderr()).toMatch(/^\d\d:\d\d:\d\d\.\d{3} ERROR shown\n$/)
    const flag = fakeTerminal({ env: { III_LOG_LEVEL: 'error' } })
    ;(await startWith({ defaults: true, logLevel: 'debug' }, flag)).log.debug('shown')
    expect(flag.stderr()).toContain('"message":"shown"')
  })
})

describe('the start message', () => {
  test('names addresses and the absolute path of the file', async () => {
    using folder = temporaryFolder()
    await Bun.write(join(folder.path, 'c.yaml'), '')
    const terminal = fakeTerminal({ cwd: folder.path })
    await startWith({ config: 'c.yaml' }, terminal)
    expect(terminal.stdout()).toContain(`\n  config   ${folder.path}/c.yaml\n  workers  ws://127.0.0.1:1\n`)
  })

  test('--json makes it one document', async () => {
    const terminal = fakeTerminal()
    await startWith({ defaults: true, json: true }, terminal)
    expect(JSON.parse(terminal.stdout())).toEqual({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      pid: process.pid,
      config: null,
      addresses: { workers: 'ws://127.0.0.1:1' },
    })
  })
})

describe('an engine that cannot start', () => {
  const failing = (error: Error) =>
    failureOf(
      serve({ defaults: true }, fakeTerminal(), { knownWorkers, startEngine: () => Promise.reject(error) }),
    )

  test('says what, why and what to do', async () => {
    const error = Object.assign(new Error('x cannot listen on 0.0.0.0:1: not loopback: really'), {
      code: 'insecure_bind',
      fix: 'bind it to 127.0.0.1',
    })
    expect(describeFailure(await failing(error))).toBe(
      'error: x cannot listen on 0.0.0.0:1 [insecure_bind]\ncause: not loopback: really\nfix: bind it to 127.0.0.1\n',
    )
  })

  test.if(process.platform === 'linux')('names the process that holds its port', async () => {
    const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
    const { port } = server
    const error = Object.assign(new Error('x cannot listen on y: the port is in use'), {
      code: 'port_in_use',
      port,
      fix: 'stop it',
    })
    const { causes } = await failing(error)
    server.stop(true)
    expect(causes).toEqual([
      expect.stringMatching(new RegExp(`^process ${process.pid} \\(.+\\) holds port ${port}$`)),
    ])
  })

  test('says where ports are set: in the file, or in one that is still to be named', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'c.yaml')
    await Bun.write(path, '')
    const error = Object.assign(new Error('x: the port is in use'), {
      code: 'port_in_use',
      port: 0,
      fix: 'stop it',
    })
    expect((await failing(error)).fix).toContain('ports are set in a file of yours: start --config FILE')
    const startEngine = () => Promise.reject(error)
    const withFile = await failureOf(serve({ config: path }, fakeTerminal(), { knownWorkers, startEngine }))
    expect(withFile.fix).toContain(`ports are set in ${path}`)
  })

  test('of a fault that nobody expected says whose it is', () => {
    expect(describeFailure(new Error('oops'))).toMatch(/^error: oops \[unexpected_failure\]\nfix: .*report/)
  })

  test('says how to find a holder that cannot be seen', async () => {
    const error = Object.assign(new Error('x: the port is in use'), {
      code: 'port_in_use',
      port: 0,
      fix: 'stop it',
    })
    expect((await failing(error)).fix).toMatch(/^stop it; .*; find the process with: .*:0/)
  })

  test('is left at once by a signal', async () => {
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      const terminal = fakeTerminal()
      const exitCode = serve({ defaults: true }, terminal, {
        knownWorkers,
        startEngine() {
          setTimeout(() => terminal.signal(signal))
          return new Promise(() => {})
        },
      })
      expect(await exitCode).toBe(code)
    }
  })
})
