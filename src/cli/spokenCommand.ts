/** How the person at the terminal types `iii`: advice has to name a command that works as it stands. Pure. */
import { basename, isAbsolute, relative } from 'node:path'
import type { Environment } from '../config/settings.ts'

export interface SpokenCommand {
  /** Any command: `trigger x` → `iii trigger x`, `bun src/main.ts trigger x`, `npm run -s iii -- trigger x`. */
  iii(words?: string): string
  /** The engine: `--config FILE` → `npm start -- --config FILE`. */
  serve(words?: string): string
}

/** What the process knows of its own start. */
export interface StartFacts {
  readonly env: Environment
  readonly cwd: string
  /** The program that runs the script, and the script. */
  readonly runtime: string
  readonly script: string
  /** Name in our `package.json`: npm's variables may be those of another project. */
  readonly packageName: string
  /** Absolute path of a command on PATH, links followed. */
  readonly which: (name: string) => string | undefined
}

export function spokenCommand(facts: StartFacts): SpokenCommand {
  const { env, packageName, script, which } = facts
  const lifecycle = env.npm_package_name === packageName ? env.npm_lifecycle_event : undefined
  if (lifecycle === 'start' || lifecycle === 'iii') {
    const byBun = /bun(\.exe)?$/.test(env.npm_execpath ?? '')
    const iii = byBun ? inFront('bun run iii') : inFront('npm run -s iii', ' --')
    const start = byBun ? inFront('bun start') : inFront('npm start', ' --')
    return { iii, serve: start }
  }
  const iii = inFront(
    which('iii') === script ? 'iii' : `${runtimeName(facts)} ${shortPath(script, facts.cwd)}`,
  )
  return { iii, serve: iii }
}

function inFront(program: string, beforeWords = ''): (words?: string) => string {
  return (words = '') => (words === '' ? program : `${program}${beforeWords} ${words}`)
}

function runtimeName({ runtime, cwd, which }: StartFacts): string {
  const name = basename(runtime).replace(/\.exe$/, '')
  return which(name) === undefined ? shortPath(runtime, cwd) : name
}

/** From the working directory where that is shorter to read; with quotes where a shell needs them. */
function shortPath(path: string, cwd: string): string {
  const near = relative(cwd, path)
  const chosen = near === '' || near.startsWith('..') || isAbsolute(near) ? path : near
  return /^[\w./\\:@+-]+$/.test(chosen) ? chosen : JSON.stringify(chosen)
}
