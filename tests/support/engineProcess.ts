/** A real engine: the command itself, as a child process on free ports. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eachLine } from '../../scripts/lines.ts'
import { shapeFlags } from './shape.ts'
import { until, within } from './waiting.ts'

const MAIN = join(import.meta.dir, '../../src/main.ts')
const START_MS = 20_000
const STOP_MS = 15_000

export interface EngineOptions {
  /**
   * More of the configuration file's `workers:` list, indented by two spaces. A function gets the addresses of the time
   * before, when it is started again.
   */
  workers?: string | ((before: Readonly<Record<string, string>>) => string)
  env?: Record<string, string>
  /** Threads; default those of this run (`shape.ts`). */
  shape?: readonly string[]
  /** A file that is loaded first. */
  preload?: string
}

export interface EngineProcess extends AsyncDisposable {
  /** Of the worker listener, `ws://127.0.0.1:<port>`. Stays the same over `restart`. */
  readonly url: string
  /** Of the http worker, `http://127.0.0.1:<port>`. Stays the same over `restart`. */
  readonly http: string
  /** What listens where, by name: `workers`, `http`, … */
  addresses(): Readonly<Record<string, string>>
  pid(): number
  /** Resolves with the exit code, when it ends. */
  exited(): Promise<number>
  /** Everything it wrote on stderr so far. */
  log(): string
  /** Ends it; resolves with the exit code. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<number>
  /** Ends it and starts it again on the same ports. */
  restart(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

interface StartDocument {
  pid: number
  addresses: { workers: string; http: string; [name: string]: string }
}

function configText(ports: { workers: number; http: number }, more: string): string {
  return [
    'workers:',
    '  - name: iii-worker-manager',
    `    config: { port: ${ports.workers} }`,
    '  - name: iii-http',
    `    config: { port: ${ports.http} }`,
    more,
  ].join('\n')
}

/** Starts an engine with a worker listener and the http worker; resolves when both listen. */
export async function startEngine({
  workers = '',
  env = {},
  shape = shapeFlags,
  preload,
}: EngineOptions = {}): Promise<EngineProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'iii-engine-'))
  const file = join(folder, 'config.yaml')
  const preloaded = preload === undefined ? [] : ['--preload', preload]
  let log = ''
  let listening: Readonly<Record<string, string>> = {}
  let child: Bun.Subprocess<'ignore', 'pipe', 'pipe'>

  async function start(ports: { workers: number; http: number }): Promise<StartDocument> {
    writeFileSync(file, configText(ports, typeof workers === 'string' ? workers : workers(listening)))
    child = Bun.spawn([process.execPath, ...preloaded, MAIN, '--config', file, '--json', ...shape], {
      cwd: folder,
      // Nothing of the caller's own settings reaches it.
      env: { PATH: process.env.PATH ?? '', HOME: folder, ...env },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const started = Promise.withResolvers<string>()
    void eachLine(child.stdout, started.resolve)
    void eachLine(child.stderr, line => {
      log += `${line}\n`
    })
    const ended = child.exited.then(code => {
      throw new Error(`the engine ended with code ${code} before it listened:\n${log}`)
    })
    // Once it runs, its end is no surprise.
    ended.catch(() => {})
    const line = await within('the engine starts', Promise.race([started.promise, ended]), START_MS)
    const document = JSON.parse(line) as StartDocument
    listening = document.addresses
    return document
  }

  async function stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<number> {
    child.kill(signal)
    return await within('the engine stops', child.exited, STOP_MS)
  }

  try {
    const { addresses } = await start({ workers: 0, http: 0 })
    const ports = {
      workers: Number(new URL(addresses.workers).port),
      http: Number(new URL(addresses.http).port),
    }
    return {
      url: addresses.workers,
      http: addresses.http,
      addresses: () => listening,
      pid: () => child.pid,
      exited: () => child.exited,
      log: () => log,
      stop,
      async restart(signal) {
        await stop(signal)
        // A worker that tries to reconnect meanwhile can be given the very port it dials as its own; it lets go at once.
        await until('the engine has its ports again', async () => (await start(ports)) !== undefined)
      },
      async [Symbol.asyncDispose]() {
        if (child.exitCode === null && child.signalCode === null) await stop('SIGKILL')
        rmSync(folder, { recursive: true, force: true })
      },
    }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}
