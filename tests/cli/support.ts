/** A terminal made of lists, and the real command as a child process. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StopSignal } from '../../src/cli/exitCodes.ts'
import type { Terminal } from '../../src/cli/terminal.ts'
import { shapeFlags } from '../support/shape.ts'

export interface FakeTerminal extends Terminal {
  /** Everything written so far. */
  stdout(): string
  stderr(): string
  signal(signal: StopSignal): void
}

export function fakeTerminal(
  options: {
    env?: Record<string, string>
    cwd?: string
    answer?: string | undefined
    input?: string
    outColours?: boolean
  } = {},
): FakeTerminal {
  let stdout = ''
  let stderr = ''
  const handlers = new Set<(signal: StopSignal) => void>()
  return {
    env: options.env ?? {},
    cwd: options.cwd ?? '/',
    command: {
      iii: (words = '') => `iii ${words}`.trim(),
      serve: (words = '') => `start ${words}`.trim(),
    },
    interactive: 'answer' in options,
    colours: false,
    outColours: options.outColours ?? false,
    human: false,
    async out(text) {
      stdout += text
    },
    err(text) {
      stderr += text
    },
    flush: async () => {},
    readInput: async () => options.input ?? '',
    async ask(question) {
      stderr += question
      return options.answer
    },
    onStopSignal(handler) {
      handlers.add(handler)
      return () => handlers.delete(handler)
    },
    onUncaughtError() {},
    stdout: () => stdout,
    stderr: () => stderr,
    signal(signal) {
      for (const handler of handlers) handler(signal)
    },
  }
}

/** A folder that is gone after `await using` ends. */
export function temporaryFolder(): { path: string } & Disposable {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'iii-test-')))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

export const MAIN = join(import.meta.dir, '../../src/main.ts')

export interface Finished {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export interface Running extends AsyncDisposable {
  readonly pid: number
  /** Resolves with everything on stdout (or stderr) so far, once `wanted` appears in it. */
  stdoutHas(wanted: string): Promise<string>
  stderrHas(wanted: string): Promise<string>
  kill(signal: NodeJS.Signals): void
  readonly finished: Promise<Finished>
}

export interface SpawnOptions {
  /** A file that is loaded first. */
  preload?: string
  cwd?: string
  env?: Record<string, string>
  input?: string
}

/** Starts `iii` with these words. Nothing of the caller's own settings reaches it. */
export function startIii(
  words: readonly string[],
  { cwd = tmpdir(), env = {}, input = '', preload }: SpawnOptions = {},
): Running {
  const child = Bun.spawn(
    [process.execPath, ...(preload === undefined ? [] : ['--preload', preload]), MAIN, ...words],
    {
      cwd,
      env: { PATH: process.env.PATH ?? '', HOME: cwd, ...env },
      stdin: new Blob([input]),
      stdout: 'pipe',
      stderr: 'pipe',
    },
  )
  const stdout = follow(child.stdout)
  const stderr = follow(child.stderr)
  const finished = child.exited.then(async () => ({
    // A shell reports an end by a signal as 128 and its number; so does this.
    exitCode: child.exitCode ?? -1,
    stdout: await stdout.all,
    stderr: await stderr.all,
  }))
  return {
    pid: child.pid,
    stdoutHas: stdout.has,
    stderrHas: stderr.has,
    kill: signal => child.kill(signal),
    finished,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await child.exited
    },
  }
}

/** Runs `iii` to its end. */
export async function runIii(words: readonly string[], options: SpawnOptions = {}): Promise<Finished> {
  await using running = startIii(words, options)
  return await running.finished
}

function follow(stream: ReadableStream<Uint8Array>) {
  let text = ''
  let ended = false
  let changed = Promise.withResolvers<void>()
  const all = (async () => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) {
      text += decoder.decode(chunk, { stream: true })
      changed.resolve()
      changed = Promise.withResolvers()
    }
    ended = true
    changed.resolve()
    return text
  })()
  return {
    all,
    async has(wanted: string): Promise<string> {
      while (!text.includes(wanted)) {
        if (ended) throw new Error(`ended without ${JSON.stringify(wanted)}:\n${text}`)
        await changed.promise
      }
      return text
    },
  }
}

export interface StartDocument {
  version: string
  pid: number
  config: string | null
  addresses: Record<string, string>
}

export interface RunningEngine extends Running {
  readonly document: StartDocument
  /** Of the worker listener. */
  readonly port: string
}

export const LISTENER_ON_ANY_PORT = 'workers:\n  - name: iii-worker-manager\n    config: { port: 0 }\n'

/** An engine on free ports, with the threads of this run and the listed workers beside the listener. */
export async function startEngine(
  folder: string,
  {
    workers = '',
    words = [],
    ...options
  }: SpawnOptions & { workers?: string; words?: readonly string[] } = {},
): Promise<RunningEngine> {
  const path = join(folder, 'config.yaml')
  await Bun.write(path, LISTENER_ON_ANY_PORT + workers)
  const engine = startIii(['--config', path, '--json', ...shapeFlags, ...words], { cwd: folder, ...options })
  const document = JSON.parse(await engine.stdoutHas('\n')) as StartDocument
  return { ...engine, document, port: new URL(document.addresses.workers!).port }
}
