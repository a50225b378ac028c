/** Finds the configuration of this run: the named file, the project's file, or none. */
import { closeSync, existsSync, openSync, readdirSync, readSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { nearestName } from '../../log/nearest.ts'
import { limits } from '../../protocol/limits.ts'
import { CommandError, messageOf } from '../commandError.ts'
import { exitCodes } from '../exitCodes.ts'
import type { SpokenCommand } from '../spokenCommand.ts'
import type { Terminal } from '../terminal.ts'

export const CONFIG_FILE = 'config.yaml'
const COMPOSE_FILE = 'worker-compose.yaml'

const STARTER = `# Workers this engine starts. For example:
#   workers:
#     - name: iii-http
#       config: { port: 3111 }
workers: []
`

/** Looks in a folder, then in its parents, as far as the root. */
export function findUpwards(folder: string, name: string): string | undefined {
  let current = resolve(folder)
  for (;;) {
    const candidate = join(current, name)
    if (existsSync(candidate)) return candidate
    const parent = dirname(current)
    if (parent === current) return undefined
    current = parent
  }
}

/**
 * Absolute path of the file to read. A named one has to exist. Without a name, a starter is written where no file is,
 * after asking if there is someone to ask.
 */
export async function chooseConfigFile(named: string | undefined, terminal: Terminal): Promise<string> {
  if (named !== undefined) return namedFile(resolve(terminal.cwd, named), terminal)
  const found = findUpwards(terminal.cwd, CONFIG_FILE)
  if (found !== undefined) return found
  const path = join(terminal.cwd, CONFIG_FILE)
  const searched = `no ${CONFIG_FILE} in ${terminal.cwd} or above it`
  const compose = findUpwards(terminal.cwd, COMPOSE_FILE)
  if (compose !== undefined)
    terminal.err(`note: ${compose} is there, but this version does not read it yet\n`)
  if (terminal.interactive) await askForStarter(path, searched, terminal)
  writeStarter(path, terminal)
  terminal.err(
    `note: ${searched}; wrote ${path}, which starts no workers, so HTTP neither: ` +
      `list them there, or start all without a file: ${terminal.command.serve('--defaults')}\n`,
  )
  return path
}

function namedFile(path: string, { command }: Terminal): string {
  if (existsSync(path)) return path
  const folder = dirname(path)
  if (!existsSync(folder)) {
    throw new CommandError(`the configuration file ${path} does not exist`, {
      code: 'config_missing',
      causes: [`there is no folder ${folder}`],
      fix: otherwise(command),
    })
  }
  const files = attemptToList(folder).filter(name => /\.ya?ml$/.test(name))
  const nearest = nearestName(basename(path), files)
  throw new CommandError(`the configuration file ${path} does not exist`, {
    code: 'config_missing',
    ...(nearest === undefined ? {} : { causes: [`the nearest name there is ${nearest}`] }),
    fix:
      nearest === undefined
        ? otherwise(command)
        : `did you mean ${command.serve(`--config ${join(dirname(path), nearest)}`)}?`,
  })
}

function otherwise({ serve }: SpokenCommand): string {
  return `name a file that exists (${serve('--config FILE')}), or run without any: ${serve('--defaults')}`
}

/** A folder that may not be listed has no names to suggest. */
function attemptToList(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

async function askForStarter(path: string, searched: string, terminal: Terminal): Promise<void> {
  const answer = await terminal.ask(`${searched}. Create ${path}? [Y/n] `)
  if (answer !== undefined && /^\s*(y|yes)?\s*$/i.test(answer)) return
  const fix = otherwise(terminal.command)
  if (answer === undefined) {
    const exitCode = exitCodes.interrupted
    throw new CommandError('interrupted', { code: 'interrupted', causes: [searched], fix, exitCode })
  }
  throw new CommandError('there is no configuration file', {
    code: 'config_missing',
    causes: [searched],
    fix,
  })
}

function writeStarter(path: string, { command }: Terminal): void {
  try {
    // Fails rather than overwrites if the file has appeared meanwhile.
    writeFileSync(path, STARTER, { flag: 'wx' })
  } catch (error) {
    throw new CommandError(`cannot write ${path}`, {
      code: 'config_missing',
      causes: [messageOf(error)],
      fix: `create the file yourself, or ${otherwise(command)}`,
    })
  }
}

/** At most one byte more than a configuration may have; pipes and devices may have no end. */
function readStart(path: string): Buffer {
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(limits.configFileBytes + 1)
    let length = 0
    for (;;) {
      const count = readSync(file, bytes, length, bytes.length - length, null)
      length += count
      if (count === 0 || length === bytes.length) return bytes.subarray(0, length)
    }
  } finally {
    closeSync(file)
  }
}

export function readConfigFile(path: string): string {
  try {
    const bytes = readStart(path)
    if (bytes.length <= limits.configFileBytes) return bytes.toString('utf8')
    throw new Error(`it is larger than ${limits.configFileBytes} bytes`)
  } catch (error) {
    throw new CommandError(`cannot read ${path}`, {
      code: 'config_unreadable',
      causes: [messageOf(error)],
      fix: 'check that it is a configuration file and that you may read it',
    })
  }
}
