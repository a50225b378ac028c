/** `iii trigger` against a running engine. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { HandlerError, registerWorker, type WorkerClient } from '../../sdk/typescript/src/mod.ts'
import { RawJson } from '../../sdk/typescript/src/worker.ts'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import {
  type Finished,
  type RunningEngine,
  runIii,
  startEngine,
  startIii,
  temporaryFolder,
} from './support.ts'

const folder = temporaryFolder()
let engine: RunningEngine
let worker: WorkerClient
/** Inputs that `test::note` was called with. */
const noted: unknown[] = []
let notedOne = Promise.withResolvers<void>()

beforeAll(async () => {
  engine = await startEngine(folder.path)
  worker = registerWorker(`ws://127.0.0.1:${engine.port}`, { workerName: 'test-worker' })
  worker.registerFunction('test::echo', input => input)
  worker.registerFunction('test::nothing', () => undefined)
  worker.registerFunction('test::big', () => new RawJson(asJsonText('{"n":12345678901234567890,"m":1.0}')))
  worker.registerFunction('test::evil', () => '\u202eab\x1b[2J\x9b')
  worker.registerFunction('test::never', () => new Promise(() => {}))
  worker.registerFunction('test::refuse', () => {
    throw new HandlerError('OUT_OF_STOCK', 'nothing left\u202e')
  })
  worker.registerFunction('test::passes_on', () => {
    throw new HandlerError('TIMEOUT', 'the warehouse did not answer')
  })
  worker.registerFunction('test::note', input => {
    noted.push(input)
    notedOne.resolve()
    notedOne = Promise.withResolvers()
  })
  worker.registerFunction('test::described', () => 1, {
    description: 'Adds numbers.',
    request_format: {
      type: 'object',
      properties: { a: { type: 'number', description: 'first' } },
      required: ['a'],
    },
  })
  await worker.ready()
  await worker.trigger({ function_id: 'test::echo', payload: {} })
})

afterAll(async () => {
  await worker?.shutdown()
  await engine?.[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const trigger = (
  words: string[],
  options: { input?: string; env?: Record<string, string> } = {},
): Promise<Finished> => runIii(['trigger', ...words, '--port', engine.port], { cwd: folder.path, ...options })

/** The input a function saw, without what the engine adds to it. */
function shown({ stdout }: Finished): unknown {
  const { _caller_worker_id: _, ...rest } = JSON.parse(stdout)
  return rest
}

/** The error that is printed, without the line that says what to do. */
const errorOf = (stderr: string) => JSON.parse(stderr.slice('Error: '.length).replace(/\nfix: .*\n$/, ''))

describe('a call', () => {
  test('of a function that is not there is answered with the nearest one', async () => {
    for (const [id, meant] of [
      ['test::ecko', 'test::echo'],
      ['described', 'test::described'],
      ['engine::function::list', 'engine::functions::list'],
    ] as const) {
      const { exitCode, stderr } = await trigger([id])
      expect(exitCode).toBe(1)
      expect(errorOf(stderr).code).toBe('function_not_found')
      expect(stderr).toContain(`\nfix: did you mean '${meant}'? List all functions with: `)
    }
    for (const words of [['state::set'], ['state::set', '--help']]) {
      expect((await trigger(words)).stderr).toContain(
        '\nfix: state::set is of the built-in iii-state, which this engine has not started; add `- name: iii-state` to `workers:` in config.yaml. List all',
      )
    }
    expect((await trigger(['nothing::like_it'])).stderr).toContain('\nfix: List all functions with: ')
  })

  test('goes to an address as a browser writes it', async () => {
    const words = ['trigger', 'test::nothing', '--address', `http://127.0.0.1:${engine.port}`]
    expect(await runIii(words)).toEqual({ exitCode: 0, stdout: '', stderr: '' })
  })

  test('prints the answer as pretty JSON on stdout and nothing on stderr', async () => {
    const { exitCode, stdout, stderr } = await trigger(['test::big', 'ignored=1'])
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 0,
      stdout: '{\n  "n": 12345678901234567890,\n  "m": 1.0\n}\n',
      stderr: '',
    })
  })

  test('prints nothing for null', async () => {
    expect(await trigger(['test::nothing'])).toEqual({ exitCode: 0, stdout: '', stderr: '' })
  })

  test('means the same in both forms and by its short name', async () => {
    const wanted = { a: 10, name: 'bob' }
    expect(shown(await trigger(['test::echo', 'a=10', 'name=bob']))).toEqual(wanted)
    expect(
      shown(await trigger(['--function-id', 'test::echo', '--payload', JSON.stringify(wanted)])),
    ).toEqual(wanted)
    const short = await runIii([
      't',
      'test::echo',
      'a=10',
      '--json',
      '{"a":1,"name":"bob"}',
      '--address',
      '127.0.0.1',
      '--port',
      engine.port,
    ])
    expect(shown(short)).toEqual(wanted)
  })

  test('takes its payload from standard input or a file', async () => {
    expect(shown(await trigger(['test::echo', '--json', '-', 'b=2'], { input: '{"a":1}' }))).toEqual({
      a: 1,
      b: 2,
    })
    await Bun.write(join(folder.path, 'payload.json'), '{"a":3}')
    expect(shown(await trigger(['test::echo', '--file', 'payload.json']))).toEqual({ a: 3 })
  })

  test('goes to the engine of III_URL when no address is given', async () => {
    const env = { III_URL: `ws://127.0.0.1:${engine.port}` }
    expect((await runIii(['trigger', 'test::nothing'], { cwd: folder.path, env })).exitCode).toBe(0)
  })

  test('goes to the default namespace, whatever the namespace of workers started here', async () => {
    const env = { III_NAMESPACE: 'elsewhere' }
    expect((await trigger(['test::nothing'], { env })).exitCode).toBe(0)
    expect((await trigger(['test::nothing', '--void'], { env })).exitCode).toBe(0)
  })

  test('goes to a named namespace', async () => {
    const { exitCode, stderr } = await trigger(['test::echo', '-n', 'elsewhere'])
    expect(exitCode).toBe(1)
    expect(errorOf(stderr).message).toContain('not found in namespace elsewhere')
  })

  test('joins under its own name', async () => {
    const running = startIii(['trigger', 'test::never', '--port', engine.port], { cwd: folder.path })
    const names = async (): Promise<string[]> => {
      const { workers } = await worker.trigger<{ workers: { name: string }[] }>({
        function_id: 'engine::workers::list',
      })
      return workers.map(each => each.name)
    }
    while (!(await names()).includes('iii-cli:trigger')) await Bun.sleep(1)
    running.kill('SIGINT')
    expect((await running.finished).exitCode).toBe(130)
  })

  test('many at once do not disturb each other', async () => {
    const all = await Promise.all(Array.from({ length: 4 }, (_, n) => trigger(['test::echo', `n=${n}`])))
    expect(all.map(shown)).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }])
  })

  test('with --void is delivered, and nothing is printed', async () => {
    const delivered = notedOne.promise
    expect(await trigger(['test::note', 'n=12345678901234567890', '--void'])).toEqual({
      exitCode: 0,
      stdout: '',
      stderr: '',
    })
    await delivered
    expect(noted).toHaveLength(1)
  })
})

describe('a call that fails', () => {
  test('shows the error of the function as JSON on stderr, exit code 1', async () => {
    const { exitCode, stdout, stderr } = await trigger(['test::refuse'])
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr).toStartWith('Error: {\n  "code": "OUT_OF_STOCK"')
    expect(JSON.parse(stderr.slice('Error: '.length))).toMatchObject({
      code: 'OUT_OF_STOCK',
      message: 'nothing left\u202e',
    })
    expect(stderr).not.toContain('\u202e')
  })

  test('says so when the function is not there', async () => {
    const { exitCode, stderr } = await trigger(['no::such'])
    expect(exitCode).toBe(1)
    expect(stderr).toContain('"code": "function_not_found"')
  })

  test('ends with 124 when no answer comes in time', async () => {
    const { exitCode, stdout, stderr } = await trigger(['test::never', '--timeout-ms', '50'])
    expect({ exitCode, stdout }).toEqual({ exitCode: 124, stdout: '' })
    expect(stderr).toBe("Error: 'test::never' did not answer within 50 ms; it may still run\n")
  })

  test('tells a time-out of its own from one that the function passes on', async () => {
    const { exitCode, stderr } = await trigger(['test::passes_on'])
    expect(exitCode).toBe(1)
    expect(stderr).toContain('the warehouse did not answer')
  })

  test('without a queue says so', async () => {
    const { exitCode, stderr } = await trigger(['test::echo', '--enqueue', 'q'])
    expect(exitCode).toBe(1)
    expect(stderr).toContain('"code": "enqueue_error"')
  })

  test('escapes what could move the cursor in an answer', async () => {
    const { stdout } = await trigger(['test::evil'])
    expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/)
    expect(JSON.parse(stdout)).toBe('\u202eab\x1b[2J\x9b')
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s gives it up with exit code %d', async (signal, code) => {
    const before = await callsOf('test-worker')
    const running = startIii(['trigger', 'test::never', '--port', engine.port], { cwd: folder.path })
    while ((await callsOf('test-worker')) === before) await Bun.sleep(1)
    running.kill(signal)
    expect(await running.finished).toEqual({ exitCode: code, stdout: '', stderr: '' })
  })

  async function callsOf(name: string): Promise<number> {
    const { workers } = await worker.trigger<{ workers: { name: string; active_invocations: number }[] }>({
      function_id: 'engine::workers::list',
    })
    return workers.find(each => each.name === name)!.active_invocations
  }
})

describe('help', () => {
  test('of a function shows its parameters', async () => {
    const { exitCode, stdout } = await trigger(['test::described', '--help'])
    expect(exitCode).toBe(0)
    expect(stdout).toContain('Adds numbers.')
    expect(stdout).toMatch(/^a +number +yes +first$/m)
  })

  test("of the engine's own functions shows theirs", async () => {
    const { stdout } = await trigger(['engine::functions::list', '--help'])
    expect(stdout).toMatch(/^search +string +no +part of the id/m)
    expect(stdout).toMatch(/^workers +string\[\] +no /m)
    expect((await trigger(['engine::register_trigger', '--help'])).stdout).toMatch(
      /^trigger_type +string +yes /m,
    )
  })

  test('of an unknown function fails and points to the list', async () => {
    const { exitCode, stdout, stderr } = await trigger(['-h', 'no::such'])
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr).toContain("Function 'no::such' is not registered.")
    expect(stderr).toContain('engine::functions::list')
  })
})
