/** The processes that a script starts and has to end again: named output, an orderly stop, then a hard one. */
import { eachLine } from './lines.ts'

const LAST_WORDS_MS = 500

export interface Child {
  readonly name: string
  readonly pid: number
  /** The exit code, 128 + n after signal n; `undefined` while it runs. */
  exitCode(): number | undefined
  readonly exited: Promise<number>
  kill(signal: 'SIGTERM' | 'SIGKILL'): void
}

export interface ChildOptions {
  cwd: string
  env: Record<string, string | undefined>
  /** Gets every line of stderr, and of stdout unless `onOutput` takes it. */
  onLine(line: string): void
  onOutput?(line: string): void
}

/**
 * Starts a process in a process group of its own: Ctrl-C in a terminal reaches the script only, which then stops its
 * processes one after the other. (What the script leaves behind is ended by `bun --no-orphans`.)
 */
export function startChild(
  name: string,
  command: string[],
  { cwd, env, onLine, onOutput }: ChildOptions,
): Child {
  const child = Bun.spawn(command, {
    cwd,
    env,
    detached: true,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const read = Promise.all([eachLine(child.stdout, onOutput ?? onLine), eachLine(child.stderr, onLine)])
  let exitCode: number | undefined
  const exited = child.exited.then(async code => {
    // Its last words come before its end; but somebody else may hold the pipes open.
    await Promise.race([read, Bun.sleep(LAST_WORDS_MS)])
    exitCode = code
    return code
  })
  return {
    name,
    pid: child.pid,
    exitCode: () => exitCode,
    exited,
    kill: signal => child.kill(signal),
  }
}

/** Asks all of them to end; those that have not after `graceMs` are killed. Resolves when none runs any more. */
export async function stopChildren(children: readonly Child[], graceMs: number): Promise<void> {
  const running = children.filter(child => child.exitCode() === undefined)
  for (const child of running) child.kill('SIGTERM')
  const timer = setTimeout(() => killChildren(running), graceMs)
  await Promise.all(running.map(child => child.exited))
  clearTimeout(timer)
}

export function killChildren(children: readonly Child[]): void {
  for (const child of children) if (child.exitCode() === undefined) child.kill('SIGKILL')
}
