/** The stream worker as a process of its own, both halves: all that they say to each other goes through the engine's socket. */
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { startIii, temporaryFolder } from '../cli/support.ts'
import { startEngine } from '../support/engineProcess.ts'
import { connectRaw } from '../support/rawClient.ts'
import { until } from '../support/waiting.ts'
import { connect, item } from './support.ts'

const PATIENT_MS = 60_000

const SAME = '  - name: iii-stream\n    config: { port: 0 }\n'

test.each([
  ['msgpack', 'none', ''],
  ['json', 'none', ''],
  ['msgpack', 'streams, too', SAME],
])(
  'streams of a worker of its own (%s; the engine has %s)',
  async (framing, _, workers) => {
    using folder = temporaryFolder()
    await using engine = await startEngine({ workers })
    await using raw = await connectRaw(engine.url)
    const file = join(folder.path, 'config.yaml')
    await Bun.write(file, 'workers:\n  - name: iii-stream\n    config: { port: 0 }\n')
    const words = ['worker', 'run', 'iii-stream', '--url', engine.url, '--config', file]
    await using worker = startIii([...words, '--json', '--framing', framing], { cwd: folder.path })
    const { addresses } = JSON.parse(await worker.stdoutHas('\n'))
    raw.serve('stream::get(mine)', () => ({ result: 'kept elsewhere' }))
    raw.send({ type: 'registerfunction', id: 'stream::get(mine)' })
    const left: unknown[] = []
    raw.serve('left', ({ data }) => {
      left.push(data)
      return {}
    })
    raw.send({ type: 'registerfunction', id: 'left' })
    raw.send({
      type: 'registertrigger',
      id: 't',
      trigger_type: 'stream:leave',
      function_id: 'left',
      config: {},
    })
    await raw.settled()
    const clients = await Promise.all([1, 2, 3].map(() => connect(`${addresses.stream}/`)))
    for (const client of clients) client.join('sub', 's', 'g')
    await Promise.all(clients.map(client => client.has(1)))
    for (let data = 1; data <= 100; data++)
      raw.send({
        type: 'invokefunction',
        function_id: 'stream::set',
        data: item('a', { data }),
        action: { type: 'void' },
      })
    for (const client of clients) {
      const messages = await client.has(101)
      expect(messages.map(({ event }) => event.data).slice(1)).toEqual(
        Array.from({ length: 100 }, (_, index) => index + 1),
      )
    }
    expect(await raw.call('stream::get', item('a', { stream_name: 'mine' }))).toEqual({
      result: 'kept elsewhere',
    })
    for (const client of clients) client.close()
    await until('all have left', () => left.length === 3)
    worker.kill('SIGTERM')
    expect((await worker.finished).exitCode).toBe(0)
  },
  PATIENT_MS,
)
