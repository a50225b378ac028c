/** The engine as a process: start, stop, ports, exit codes. */

import { afterAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import manifest from '../../package.json' with { type: 'json' }
import { registerWorker } from '../../sdk/typescript/src/mod.ts'
import { until } from '../support/waiting.ts'
import {
  LISTENER_ON_ANY_PORT,
  MAIN,
  type RunningEngine,
  runIii,
  startEngine,
  startIii,
  temporaryFolder,
} from './support.ts'

const folder = temporaryFolder()
/** How the runtime is named in advice: by its name if that finds it, else by its path. */
const RUNTIME = Bun.which('bun') === null ? process.execPath : 'bun'
afterAll(() => folder[Symbol.dispose]())

/** Resolves if a server can listen on the port, as it can once its former holder is gone. */
function listenOn(port: string): void {
  Bun.listen({ hostname: '127.0.0.1', port: Number(port), socket: { data() {} } }).stop(true)
}

describe('version and help', () => {
  test.each([['-v'], ['--version']])('%s prints the bare number', async flag => {
    expect(await runIii([flag])).toEqual({ exitCode: 0, stdout: `${manifest.version}\n`, stderr: '' })
  })

  test.each([['-h'], ['--help'], ['help']])('%s is no failure', async word => {
    const { exitCode, stdout, stderr } = await runIii([word])
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    for (const option of ['--config', '--defaults', '--insecure', '--log-level', '--drain-ms', 'trigger']) {
      expect(stdout).toContain(option)
    }
  })

  test.each([
    [['--no-such-option']],
    [['--use-default-config']],
    [['no-such-command']],
    [['--defaults', '--config', 'x']],
    [['--log-level', 'loud']],
    [['--drain-ms', '-1']],
    [['--config']],
  ])('%j is wrong usage', async words => {
    const { exitCode, stdout, stderr } = await runIii(words)
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toStartWith('error: ')
  })

  test.each(['worker add', 'project', 'compose', 'console', 'update', 'cloud'])(
    '%s is for a later version',
    async command => {
      const { exitCode, stderr } = await runIii([...command.split(' '), 'add', '--flag', 'x'])
      expect(exitCode).toBe(1)
      expect(stderr).toStartWith(
        `error: 'iii ${command}' is not part of this version yet [not_in_this_version]\nfix: `,
      )
    },
  )

  test('a mistyped command is answered with the nearest one', async () => {
    for (const [words, meant] of [
      [['triger'], 'trigger'],
      [['hepl'], 'help'],
      [['help', 'triger'], 'help trigger'],
    ] as const) {
      const { exitCode, stderr } = await runIii(words, { cwd: folder.path })
      expect(exitCode).toBe(2)
      // The command as it is typed here, so that it can be copied.
      expect(stderr).toContain(`did you mean '${RUNTIME} ${MAIN} ${meant}'?`)
    }
  })

  test.each([
    [['--drain-ms', 'abc'], '--drain-ms', '--help'],
    [['--confg', 'x'], '--config', '--help'],
    [['trigger', 'x', '--port', 'abc'], '--port', 'trigger --help'],
  ])('%j names the flag, and the help of its command', async (words, flag, help) => {
    const { exitCode, stderr } = await runIii(words, { cwd: folder.path })
    expect(exitCode).toBe(2)
    const [error, fix, rest] = stderr.split('\n')
    expect(error).toContain(flag)
    expect(error).toEndWith('[wrong_usage]')
    expect(fix).toBe(`fix: '${RUNTIME} ${MAIN} ${help}' shows the options`)
    expect(rest).toBe('')
  })

  test.each([[['help', 'compose']], [['compose', '--help']]])(
    '%j says what there is instead',
    async words => {
      const { exitCode, stdout } = await runIii(words)
      expect(exitCode).toBe(0)
      expect(stdout).toMatch(/^'iii compose' is not part of this version yet\.\nInstead: .*config\.yaml/)
    },
  )

  test('the help lists environment variables and defaults', async () => {
    const { stdout } = await runIii(['--help'])
    for (const name of ['III_LOG_LEVEL', 'III_INSECURE', 'III_NAMESPACE_GRACE_MS', 'III_URL', 'NO_COLOR'])
      expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'))
    expect(stdout).toContain('(default: 10000)')
  })
})

describe('a running engine', () => {
  test('prints the real ports, and answers on them', async () => {
    await using engine = await startEngine(folder.path, {
      workers: '  - name: http\n    config: { port: 0 }\n',
      words: ['--no-update-check'],
    })
    const { addresses, pid, config } = engine.document
    expect({ pid, config }).toEqual({ pid: engine.pid, config: join(folder.path, 'config.yaml') })
    for (const address of Object.values(addresses)) expect(new URL(address).port).toMatch(/^[1-9]\d*$/)
    expect((await fetch(`${addresses.http}/no/such/route`)).status).toBe(404)
    const client = registerWorker(addresses.workers, { reconnect: false })
    await client.ready()
    await client.shutdown()
  })

  test('finds its file above the working directory', async () => {
    const inner = join(folder.path, 'deep/er')
    await Bun.write(join(inner, 'here.txt'), '')
    await using engine = await startEngine(folder.path, { cwd: inner })
    expect(engine.document.config).toBe(join(folder.path, 'config.yaml'))
    await using other = startIii([], { cwd: inner })
    expect(await other.stdoutHas('workers')).toContain(join(folder.path, 'config.yaml'))
  })

  test('writes a starter where there is no file, and says so', async () => {
    using empty = temporaryFolder()
    await using engine = startIii([], { cwd: empty.path })
    expect(await engine.stderrHas('\n')).toContain(`wrote ${join(empty.path, 'config.yaml')}`)
    expect(await Bun.file(join(empty.path, 'config.yaml')).text()).toContain('workers: []')
  })

  test('ends with exit code 1 after an error that nobody caught', async () => {
    const preload = join(folder.path, 'crash.ts')
    await Bun.write(preload, `process.on('SIGUSR2', () => { throw new Error('boom') })`)
    await using engine = await startEngine(folder.path, { preload })
    engine.kill('SIGUSR2')
    const { exitCode, stderr } = await engine.finished
    expect(exitCode).toBe(1)
    expect(stderr).toContain('"message":"uncaught error: the engine ends"')
    expect(stderr).toContain('boom')
  })

  test('goes on when nobody reads its output any more', async () => {
    const path = join(folder.path, 'config.yaml')
    await Bun.write(path, LISTENER_ON_ANY_PORT)
    const words = [process.execPath, MAIN, '--config', path, '--json', '--log-level', 'debug']
    await using child = Bun.spawn(words, { stdout: 'pipe', stderr: 'pipe' })
    const reader = child.stdout.getReader()
    const { addresses } = JSON.parse(new TextDecoder().decode((await reader.read()).value))
    await Promise.all([reader.cancel(), child.stderr.cancel()])
    const client = registerWorker(addresses.workers, { reconnect: false })
    await client.trigger({ function_id: 'engine::workers::list' })
    await client.shutdown()
    child.kill('SIGTERM')
    expect(await child.exited).toBe(0)
  })
})

describe('a start that fails ends with exit code 1 and three lines', () => {
  test('a port in use: who holds it, what to do', async () => {
    await using first = await startEngine(folder.path)
    const path = join(folder.path, 'second.yaml')
    await Bun.write(path, `workers: [{ name: iii-worker-manager, config: { port: ${first.port} } }]`)
    const { exitCode, stdout, stderr } = await runIii(['--config', path])
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    const [error, cause, fix, rest] = stderr.split('\n')
    expect(error).toContain(`127.0.0.1:${first.port}`)
    if (process.platform === 'linux') expect(cause).toStartWith(`cause: process ${first.pid} (`)
    expect(fix).toStartWith('fix: ')
    expect(rest).toBe('')
  })

  test('a host name that nobody knows: no process is blamed for it', async () => {
    const path = join(folder.path, 'host.yaml')
    await Bun.write(path, 'workers: [{ name: iii-http, config: { port: 0, host: no.such.host.invalid } }]')
    const { exitCode, stderr } = await runIii(['--config', path])
    expect(exitCode).toBe(1)
    expect(stderr).toContain('the host name is unknown')
    expect(stderr).not.toContain('another process')
  })

  test('an address beyond this machine without authentication, unless --insecure', async () => {
    const path = join(folder.path, 'open.yaml')
    await Bun.write(path, "workers: [{ name: iii-worker-manager, config: { port: 0, host: '0.0.0.0' } }]")
    const { exitCode, stderr } = await runIii(['--config', path])
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/^error: .*\ncause: .*\nfix: .*--insecure.*\n$/)
    await using engine = startIii(['--config', path, '--insecure', '--json'])
    expect(JSON.parse(await engine.stdoutHas('\n')).addresses.workers).toStartWith('ws://0.0.0.0:')
  })

  test('a refused file: every problem, no value from the environment', async () => {
    const path = join(folder.path, 'bad.yaml')
    // biome-ignore lint/suspicious/noTemplateCurlyInString: expanded by the engine
    await Bun.write(path, 'workers: [{ name: http, config: { port: "${PASSWORD}", hots: x } }]')
    const { exitCode, stderr } = await runIii(['-c', 'bad.yaml'], {
      cwd: folder.path,
      env: { PASSWORD: 'hunter2' },
    })
    expect(exitCode).toBe(1)
    expect(stderr).toStartWith(`error: Failed to parse config file '${path}': 2 problems [config_invalid]\n`)
    expect(stderr).toContain("Did you mean 'host'?")
    expect(stderr).not.toContain('hunter2')
  })
})

describe('stopping', () => {
  let engine: RunningEngine
  let answer = Promise.withResolvers<string>()
  let called = Promise.withResolvers<void>()

  /** An engine with one call under way that ends when `answer` does. */
  async function startBusyEngine(words: readonly string[] = []): Promise<{ call: Promise<unknown> }> {
    answer = Promise.withResolvers()
    called = Promise.withResolvers()
    engine = await startEngine(folder.path, { words })
    const address = engine.document.addresses.workers!
    const callee = registerWorker(address, { workerName: 'callee', reconnect: false })
    callee.registerFunction('slow', () => {
      called.resolve()
      return answer.promise
    })
    await callee.ready()
    await callee.trigger({ function_id: 'engine::functions::info', payload: { function_id: 'slow' } })
    const caller = registerWorker(address, { workerName: 'caller', reconnect: false })
    const call = caller.trigger({ function_id: 'slow' })
    call.catch(() => {})
    await called.promise
    return { call }
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal} on an idle engine: exit code 0, the port is free`, async () => {
      await using idle = await startEngine(folder.path)
      idle.kill(signal)
      expect((await idle.finished).exitCode).toBe(0)
      listenOn(idle.port)
    })
  }

  test('the first signal lets running work end', async () => {
    const { call } = await startBusyEngine()
    await using _ = engine
    engine.kill('SIGTERM')
    await engine.stderrHas('stopping')
    answer.resolve('done')
    expect(await call).toBe('done')
    expect((await engine.finished).exitCode).toBe(0)
    listenOn(engine.port)
  })

  test('new connections are refused while running work ends', async () => {
    await startBusyEngine()
    await using _ = engine
    engine.kill('SIGTERM')
    await engine.stderrHas('stopping')
    // Threads hear of the signal a moment after the log does.
    await until('a connection is refused', async () => {
      const late = registerWorker(engine.document.addresses.workers, { reconnect: false })
      return await late.ready().then(
        () => late.shutdown().then(() => false),
        () => true,
      )
    })
    answer.resolve('done')
    expect((await engine.finished).exitCode).toBe(0)
  })

  test('work that does not end is cut when the time is up, and the exit code is still 0', async () => {
    const { call } = await startBusyEngine(['--drain-ms', '50'])
    await using _ = engine
    engine.kill('SIGTERM')
    expect((await engine.finished).exitCode).toBe(0)
    await expect(call).rejects.toThrow()
    listenOn(engine.port)
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'a second signal, %s, cuts running work: exit code %d, the port is free',
    async (signal, code) => {
      const { call } = await startBusyEngine()
      await using _ = engine
      engine.kill('SIGTERM')
      await engine.stderrHas('stopping')
      engine.kill(signal)
      expect((await engine.finished).exitCode).toBe(code)
      await expect(call).rejects.toThrow()
      listenOn(engine.port)
    },
  )
})
