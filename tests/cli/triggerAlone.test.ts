/** `iii trigger` where no engine answers, or a strange one. */
import { describe, expect, test } from 'bun:test'
import { registerWorker } from '../../sdk/typescript/src/mod.ts'
import { diagnose } from '../../src/cli/trigger/diagnose.ts'
import { runTrigger } from '../../src/cli/trigger/run.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { fakeTerminal, runIii } from './support.ts'

/** A port on which nobody listens. */
async function freePort(): Promise<string> {
  const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = server
  server.stop(true)
  return String(port)
}

function disposable(server: {
  port?: number | undefined
  stop(now: true): unknown
}): Disposable & { port: number } {
  return { port: server.port!, [Symbol.dispose]: () => void server.stop(true) }
}

describe('wrong usage ends with 2 and never reaches an engine', () => {
  test.each([
    [['trigger']],
    [['trigger', 'a=2']],
    [['trigger', 'fn', '--address', 'a/b']],
    [['trigger', 'fn', '--address', 'ftp://host']],
    [['trigger', 'fn', 'word']],
    [['trigger', 'fn', '--json', '{']],
    [['trigger', 'fn', '--json', '[]', 'a=1']],
    [['trigger', 'fn', '--json', '1', '--payload', '1']],
    [['trigger', 'fn', '--void', '--enqueue', 'q']],
    [['trigger', 'fn', '--port', '0']],
    [['trigger', 'fn', '--timeout-ms', 'soon']],
    [['trigger', 'fn', '--no-such-option']],
  ])('%j', async words => {
    const { exitCode, stdout, stderr } = await runIii(words)
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toMatch(/^error: /)
  })
})

describe('help', () => {
  test('of a function without an engine warns and shows the general help', async () => {
    const { exitCode, stdout, stderr } = await runIii(['trigger', 'fn', '--help', '--port', await freePort()])
    expect(exitCode).toBe(0)
    expect(stderr).toStartWith('warning: no engine answers at ws://localhost:')
    expect(stdout).toStartWith('Usage: iii trigger')
  })

  test('of the command works offline, in all spellings', async () => {
    const [one, two, three] = await Promise.all([
      runIii(['trigger', '-h']),
      runIii(['help', 'trigger']),
      runIii(['t', '--help']),
    ])
    expect(one.exitCode).toBe(0)
    expect(one.stdout).toContain('--timeout-ms')
    expect(two.stdout).toBe(one.stdout)
    expect(three.stdout).toBe(one.stdout)
  })
})

describe('without an engine', () => {
  test('one sentence names the address, exit code 1', async () => {
    const port = await freePort()
    const { exitCode, stdout, stderr } = await runIii(['trigger', 'fn', '--port', port])
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
    expect(stderr.split('\n')).toHaveLength(2)
    expect(stderr).toStartWith(`Error: no engine answers at ws://localhost:${port}: nothing listens there (`)
  })

  test('each thing that can be in the way has its own sentence', async () => {
    using web = disposable(Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response() }))
    using full = disposable(
      Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response(null, { status: 503 }) }),
    )
    using mute = disposable(Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } }))
    using rude = disposable(
      Bun.listen({
        hostname: '127.0.0.1',
        port: 0,
        socket: { open: socket => void socket.end(), data() {} },
      }),
    )
    const why = (port: number | string, host = '127.0.0.1') => diagnose(`ws://${host}:${port}/`, 300)
    expect(await why(await freePort())).toBe('nothing listens there')
    expect(await why(1, 'no.such.host.invalid')).toBe("the host name 'no.such.host.invalid' is not known")
    expect(await why(web.port)).toContain('a server listens there, but not for workers (HTTP 200)')
    expect(await why(full.port)).toContain('stopping, or full')
    expect(await why(mute.port)).toContain('says nothing')
    expect(await why(rude.port)).toContain('hangs up')
  })

  test.each([
    ['foo', 'a value that is no address'],
    ['ftp://host', 'another scheme'],
  ])('III_URL=%s is wrong usage: %s', async url => {
    const { exitCode, stderr } = await runIii(['trigger', 'fn'], { env: { III_URL: url } })
    expect(exitCode).toBe(2)
    expect(stderr).toContain('III_URL')
    expect(stderr).toContain('[environment_invalid]')
  })

  test('a level of III_LOG_LEVEL that there is not is wrong usage', async () => {
    expect((await runIii(['trigger', 'fn'], { env: { III_LOG_LEVEL: 'loud' } })).exitCode).toBe(2)
  })

  test('an address with a password is shown without it', async () => {
    const env = { III_URL: `ws://bob:hunter2@127.0.0.1:${await freePort()}` }
    const { exitCode, stderr } = await runIii(['trigger', 'fn'], { env })
    expect(exitCode).toBe(1)
    expect(stderr).not.toContain('hunter2')
  })
})

describe('an engine that behaves oddly', () => {
  /** Accepts connections and answers each message with what `answer` says; `undefined` closes. */
  function oddEngine(answer: (message: Record<string, unknown>) => object | undefined | null) {
    const server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: (request, self) => (self.upgrade(request) ? undefined : new Response(null, { status: 400 })),
      websocket: {
        open: socket =>
          void socket.send(JSON.stringify({ type: 'workerregistered', worker_id: 'w', reattach_token: 't' })),
        message(socket, text) {
          const frame = answer(JSON.parse(String(text)))
          if (frame === undefined) socket.close()
          else if (frame !== null) socket.send(JSON.stringify(frame))
        },
      },
    })
    return { port: String(server.port), [Symbol.dispose]: () => void server.stop(true) }
  }

  const isAnnounce = (message: Record<string, unknown>): boolean =>
    message.function_id === 'engine::workers::register'

  test('a connection lost in mid-call is told in plain text, exit code 1', async () => {
    using odd = oddEngine(message => (isAnnounce(message) ? null : undefined))
    const { exitCode, stderr } = await runIii(['trigger', 'fn', '--port', odd.port])
    expect(exitCode).toBe(1)
    expect(stderr).toBe(
      `Error: the connection to ws://localhost:${odd.port} was lost before the answer came; the call may have run\n`,
    )
  })

  test('one that accepts the connection and says nothing is given up', async () => {
    using server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: (request, self) => (self.upgrade(request) ? undefined : new Response()),
      websocket: { message() {} },
    })
    const terminal = fakeTerminal()
    const dialler = { connect: registerWorker, connectMs: 50, clock: systemClock, diagnose }
    const exitCode = await runTrigger(['fn'], { port: server.port! }, '', terminal, dialler)
    expect(exitCode).toBe(1)
    expect(terminal.stderr()).toStartWith(
      `Error: no engine answers at ws://localhost:${server.port}: what listens there takes the connection and does not greet`,
    )
  })

  test('a refused worker name is tried again under another one, and the call is made once', async () => {
    const names: string[] = []
    let calls = 0
    using odd = oddEngine(message => {
      if (isAnnounce(message)) {
        const { name } = message.data as { name: string }
        names.push(name)
        if (names.length > 1) return null
        const [code, namespace] = ['WORKER_NAMESPACE_CONFLICT', 'default']
        return { type: 'registrationrejected', code, namespace, worker_name: name, owner_worker_id: 'x' }
      }
      // An engine that has refused a name looks at nothing that follows.
      if (names.length === 1) return null
      calls++
      return {
        type: 'invocationresult',
        invocation_id: message.invocation_id,
        function_id: 'fn',
        result: 'ok',
      }
    })
    expect(await runIii(['trigger', 'fn', '--port', odd.port])).toEqual({
      exitCode: 0,
      stdout: '"ok"\n',
      stderr: '',
    })
    expect(names[0]).toBe('iii-cli:trigger')
    expect(names[1]).toMatch(/^iii-cli:trigger:\d+$/)
    expect(calls).toBe(1)
  })
})
