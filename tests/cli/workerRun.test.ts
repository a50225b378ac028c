/** `iii worker run`: built-in workers as processes of their own, beside engines that have them or do not. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { startEngine } from '../support/engineProcess.ts'
import { connectRaw } from '../support/rawClient.ts'
import { until, within } from '../support/waiting.ts'
import { LEDGER } from '../threads/attack/ledger.ts'
import { type Running, runIii, startIii, temporaryFolder } from './support.ts'

const PATIENT_MS = 60_000

/** Adds a built-in that stands on the durable thread, in the engine and in the process of its own. */
const preload = join(import.meta.dir, '../threads/attack/preload.ts')

let folder: ReturnType<typeof temporaryFolder>
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => folder[Symbol.dispose]())

const rowOf = (file: string): string =>
  `  - name: ${LEDGER}\n    config: { folder: ${join(folder.path, file)} }\n`

/** Starts the worker of the tests as a process of its own. */
async function startLedger(url: string, words: readonly string[] = [], kept = 'external'): Promise<Running> {
  const file = join(folder.path, `${kept}.yaml`)
  await Bun.write(file, `workers:\n${rowOf(kept)}`)
  return startIii(['worker', 'run', LEDGER, '--url', url, '--config', file, '--json', ...words], {
    cwd: folder.path,
    preload,
  })
}

/** An engine that has the same built-in. */
const startWithLedger = () =>
  startEngine({ preload, workers: rowOf('internal'), env: { III_ATTACKS: folder.path } })

describe('a built-in as a process of its own', () => {
  test(
    'serves an engine that has none of it: HTTP routes on its own port',
    async () => {
      await using engine = await startEngine()
      const words = ['worker', 'run', 'workers/http', '--url', engine.url, '--json', '--framing', 'json']
      const file = join(folder.path, 'config.yaml')
      await Bun.write(file, 'workers:\n  - name: http\n    config: { port: 0 }\n')
      await using http = startIii([...words, '--config', file], { cwd: folder.path })
      const document = JSON.parse(await http.stdoutHas('\n'))
      expect(document).toMatchObject({ worker: 'iii-http', url: engine.url, pid: http.pid })
      await using worker = await connectRaw(engine.url)
      worker.serve('hello::f', () => ({ result: { body: 'from afar' } }))
      worker.send({
        type: 'registertrigger',
        id: 'route',
        trigger_type: 'http',
        function_id: 'hello::f',
        config: { api_path: 'hello', http_method: 'GET' },
      })
      await worker.settled()
      const answer = await until('the route is there', async () => {
        const response = await fetch(`${document.addresses.http}/hello`)
        return response.status === 200 ? response.text() : undefined
      })
      expect(answer).toContain('from afar')
      http.kill('SIGTERM')
      expect((await http.finished).exitCode).toBe(0)
    },
    PATIENT_MS,
  )

  test(
    'keeps its own things: the state of an engine that has none is there again after both were killed',
    async () => {
      await using engine = await startEngine()
      const words = ['worker', 'run', 'workers/state', '--url', engine.url, '--data', 'kept', '--json']
      const big = '{"big":9007199254740993}'
      {
        await using state = startIii(words, { cwd: folder.path })
        expect(JSON.parse(await state.stdoutHas('\n'))).toMatchObject({
          worker: 'iii-state',
          data: join(folder.path, 'kept'),
        })
        await using client = await connectRaw(engine.url)
        const put = `{"scope":"s","key":"k","value":${big}}`
        expect(await client.callText('state::set', put)).toContain(big)
        state.kill('SIGKILL')
      }
      await engine.restart('SIGKILL')
      await using state = startIii(words, { cwd: folder.path })
      await state.stdoutHas('\n')
      await using client = await connectRaw(engine.url)
      expect(await client.callText('state::get', '{"scope":"s","key":"k"}')).toContain(big)
    },
    PATIENT_MS,
  )

  test.each([['msgpack'], ['json']])(
    'goes before that of the engine while it is connected, triggers included (%s)',
    async framing => {
      await using engine = await startWithLedger()
      await using client = await connectRaw(engine.url)
      client.send({ type: 'registerfunction', id: 'told::f' })
      const trigger = { trigger_type: 'ledger', function_id: 'told::f', config: {} }
      client.send({ type: 'registertrigger', id: 'told', ...trigger })
      expect(await client.call('ledger::add', { n: 1 })).toMatchObject({ result: { sum: 1 } })
      await client.expect({ type: 'invokefunction', function_id: 'told::f' })

      await using worker = await startLedger(engine.url, ['--framing', framing])
      await worker.stdoutHas('\n')
      expect(await client.call('ledger::add', { n: 10 })).toMatchObject({ result: { sum: 10 } })
      const told = await client.expect({ type: 'invokefunction', function_id: 'told::f' })
      expect(told.data).toMatchObject({ sum: 10 })
      const { result } = await client.call('engine::functions::info', { function_id: 'ledger::add' })
      expect(result).toMatchObject({ worker_name: LEDGER })

      worker.kill('SIGTERM')
      const { exitCode, stderr } = await worker.finished
      expect(exitCode).toBe(0)
      expect(stderr).toContain('the ledger has drained')
      expect(stderr).toContain('the ledger has stopped')
      // The one in the engine answers again, and is the provider again.
      expect(await client.call('ledger::add', { n: 1 })).toMatchObject({ result: { sum: 2 } })
    },
    PATIENT_MS,
  )

  test(
    'waits for an engine that is not there, and connects again to one that comes back',
    async () => {
      await using engine = await startEngine()
      await engine.stop()
      await using worker = await startLedger(engine.url)
      await worker.stderrHas('no engine answers')
      expect(await Promise.race([worker.stdoutHas('\n'), Bun.sleep(0)])).toBeUndefined()
      await engine.restart()
      await worker.stdoutHas('\n')
      await engine.restart()
      await using client = await connectRaw(engine.url)
      const answered = await until('it is there again', async () => {
        const { result } = await client.call('ledger::add', { n: 1 })
        return result
      })
      expect(answered).toMatchObject({ sum: 1 })
    },
    PATIENT_MS,
  )

  test(
    'lets running calls end after the first signal, and stops at once after a second one',
    async () => {
      await using engine = await startEngine()
      await using client = await connectRaw(engine.url)
      await using worker = await startLedger(engine.url)
      await worker.stdoutHas('\n')
      const stopped = client.call('ledger::wait', {}, { withinMs: PATIENT_MS })
      await client.call('ledger::add', { n: 1 })
      worker.kill('SIGTERM')
      await worker.stderrHas('stopping: running work may finish')
      // It is offered no more, though its process still runs.
      await until('it is not offered', async () => {
        const { error } = await client.call('ledger::add', { n: 1 })
        return error?.code === 'function_not_found'
      })
      worker.kill('SIGINT')
      expect((await within('it ends', worker.finished)).exitCode).toBe(130)
      expect((await stopped).error?.code).toBe('invocation_stopped')
    },
    PATIENT_MS,
  )

  test(
    'ends with code 1 when another one has its name',
    async () => {
      await using engine = await startEngine()
      await using first = await startLedger(engine.url)
      await first.stdoutHas('\n')
      await using second = await startLedger(engine.url, [], 'other')
      const { exitCode, stdout, stderr } = await second.finished
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
      expect(stderr).toContain(`error: the engine refuses ${LEDGER} [WORKER_NAMESPACE_CONFLICT]`)
      expect(stderr).toContain('fix: ')
      // Nor may two keep their things in one place.
      await using third = await startLedger(engine.url)
      expect((await third.finished).stderr).toContain('[data_folder_in_use]')
    },
    PATIENT_MS,
  )
})

describe('words that make no worker', () => {
  test.each<[words: string[], said: RegExp]>([
    [['worker', 'run'], /missing required argument 'name'/],
    [['worker'], /no command is named/],
    [['worker', 'run', 'htpt'], /'htpt' is not a built-in worker.*did you mean 'http'/s],
    [['worker', 'run', 'iii-engine-functions'], /part of every engine.*iii-http/s],
    [['worker', 'run', 'sandbox'], /not part of this version yet/],
    [['worker', 'run', 'http', '--url', 'a b'], /not an address/],
    [['worker', 'run', 'http', '--framing', 'xml'], /framing/],
  ])('%j are wrong usage', async (words, said) => {
    const { exitCode, stdout, stderr } = await runIii(words)
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toMatch(said)
  })

  test('a file without the worker is told so', async () => {
    const file = join(folder.path, 'config.yaml')
    await Bun.write(file, 'workers: []')
    const { exitCode, stderr } = await runIii(['worker', 'run', 'http', '--config', file])
    expect(exitCode).toBe(2)
    expect(stderr).toContain(`${file} does not list iii-http`)
  })

  test('the help names environment variables and an example', async () => {
    const { exitCode, stdout } = await runIii(['worker', 'run', '--help'])
    expect(exitCode).toBe(0)
    for (const word of ['III_URL', '--framing', '--data', 'workers/state']) expect(stdout).toContain(word)
  })
})
