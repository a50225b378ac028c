/** Everything a command touches outside itself, in one place, so that tests can stand in for it. */
import { realpathSync } from 'node:fs'
import manifest from '../../package.json' with { type: 'json' }
import type { Environment } from '../config/settings.ts'
import { limits } from '../protocol/limits.ts'
import { exitCodes, type StopSignal } from './exitCodes.ts'
import { type SpokenCommand, spokenCommand } from './spokenCommand.ts'

export interface Terminal {
  readonly env: Environment
  readonly cwd: string
  /** How this command is typed here, for advice. */
  readonly command: SpokenCommand
  /** Someone can be asked: stdin and stderr are both a terminal. */
  readonly interactive: boolean
  /** stderr shows colours. */
  readonly colours: boolean
  /** stdout shows colours. */
  readonly outColours: boolean
  /** stderr is a terminal, so that log lines are for people. */
  readonly human: boolean
  /** Results. Resolves when the text has left the process. */
  out(text: string): Promise<void>
  /** Everything else: messages, progress, the log. */
  err(text: string): void
  /** Resolves when everything written so far has left the process. */
  flush(): Promise<void>
  readInput(): Promise<string>
  /** The line that was typed; `undefined` after Ctrl-C or Ctrl-D. */
  ask(question: string): Promise<string | undefined>
  /** Calls `handler` on each stop signal; the returned function ends that. */
  onStopSignal(handler: (signal: StopSignal) => void): () => void
  /** Tells of an error that no code caught; the process ends with exit code 1 after that. */
  onUncaughtError(tell: (error: unknown) => void): void
}

/**
 * The streams of this process are made when something is written or asked for the first time: that costs 10 ms, which
 * the engine spends better on opening its ports.
 */
export function systemTerminal(): Terminal {
  const { env } = process
  const stdout = once(() => safeStream(process.stdout))
  const stderr = once(() => safeStream(process.stderr))
  const errorOutput = once(() => createErrorOutput(stderr()))
  return {
    env,
    cwd: process.cwd(),
    command: spokenCommand({
      env,
      cwd: process.cwd(),
      runtime: process.execPath,
      script: Bun.main,
      packageName: manifest.name,
      which: realPathOf,
    }),
    get interactive() {
      return process.stdin.isTTY === true && stderr().isTTY === true
    },
    get colours() {
      return stderr().isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
    },
    get outColours() {
      return stdout().isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
    },
    get human() {
      return stderr().isTTY === true
    },
    out: text => written(stdout(), text),
    err: text => errorOutput()(text),
    flush: async () => void (await Promise.all([written(stdout(), ''), written(stderr(), '')])),
    readInput: () => Bun.stdin.text(),
    async ask(question) {
      const { createInterface } = await import('node:readline/promises')
      const dialogue = createInterface({ input: process.stdin, output: stderr() })
      try {
        return await dialogue.question(question)
      } catch {
        stderr().write('\n')
        return undefined
      } finally {
        dialogue.close()
      }
    },
    onStopSignal(handler) {
      const interrupt = (): void => handler('SIGINT')
      const terminate = (): void => handler('SIGTERM')
      process.on('SIGINT', interrupt)
      process.on('SIGTERM', terminate)
      return () => {
        process.off('SIGINT', interrupt)
        process.off('SIGTERM', terminate)
      }
    },
    onUncaughtError(tell) {
      const end = (error: unknown): void => {
        tell(error)
        process.exit(exitCodes.failure)
      }
      process.on('uncaughtException', end)
      process.on('unhandledRejection', end)
    },
  }
}

function realPathOf(name: string): string | undefined {
  const found = Bun.which(name)
  try {
    return found === null ? undefined : realpathSync(found)
  } catch {
    return undefined
  }
}

function once<Value extends object>(make: () => Value): () => Value {
  let made: Value | undefined
  return () => {
    made ??= make()
    return made
  }
}

/** A reader that left (`iii | head`) is no reason to fail. */
function safeStream(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  return stream.on('error', () => {})
}

/**
 * Writes what the reader of stderr takes. One that stops reading (a stopped pager, a terminal on hold) must not fill the
 * memory with log lines: beyond `limits.unreadLogBytes` they are left out, and their number is told when it reads again.
 */
export function createErrorOutput(stream: Pick<NodeJS.WriteStream, 'write'>): (text: string) => void {
  let unread = 0
  let leftOut = 0
  function write(text: string): void {
    unread += text.length
    stream.write(text, () => {
      unread -= text.length
      if (leftOut === 0 || unread > limits.unreadLogBytes / 2) return
      const note = `note: ${leftOut} lines are missing here: nobody read the output\n`
      leftOut = 0
      write(note)
    })
  }
  return text => {
    if (unread + text.length > limits.unreadLogBytes && unread > 0) leftOut++
    else write(text)
  }
}

function written(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise(resolve => stream.write(text, () => resolve()))
}
