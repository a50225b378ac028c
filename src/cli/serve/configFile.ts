/** Finds the configuration of this run: the named file, the project's file, or none. */
import { closeSync, existsSync, openSync, readSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { limits } from '../../protocol/limits.ts'
import { CommandError, messageOf } from '../commandError.ts'
import { exitCodes } from '../exitCodes.ts'
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

/** Absolute path of the file to read. Writes a starter when there is none, after asking if there is someone to ask. */
export async function chooseConfigFile(named: string | undefined, terminal: Terminal): Promise<string> {
  const found = named === undefined ? findUpwards(terminal.cwd, CONFIG_FILE) : resolve(terminal.cwd, named)
  if (found !== undefined && existsSync(found)) return found
  const path = found ?? join(terminal.cwd, CONFIG_FILE)
  const searched =
    named === undefined ? `no ${CONFIG_FILE} in ${terminal.cwd} or above it` : `${path} does not exist`
  const compose = named === undefined ? findUpwards(terminal.cwd, COMPOSE_FILE) : undefined
  if (compose !== undefined)
    terminal.err(`note: ${compose} is there, but this version does not read it yet\n`)
  if (terminal.interactive) {
    const answer = await terminal.ask(`${searched}. Create ${path}? [Y/n] `)
    if (answer === undefined) {
      throw new CommandError('interrupted', { causes: [searched], exitCode: exitCodes.interrupted })
    }
    if (!/^\s*(y|yes)?\s*$/i.test(answer)) {
      throw new CommandError('there is no configuration file', {
        causes: [searched],
        fix: 'name one with --config FILE, or run without any: iii --defaults',
      })
    }
  }
  writeStarter(path)
  const note = `note: ${searched}; wrote ${path}, which starts no workers ('iii --defaults' starts all without a file)`
  terminal.err(`${note}\n`)
  return path
}

function writeStarter(path: string): void {
  try {
    // Fails rather than overwrites if the file has appeared meanwhile.
    writeFileSync(path, STARTER, { flag: 'wx' })
  } catch (error) {
    throw new CommandError(`cannot write ${path}`, {
      causes: [messageOf(error)],
      fix: 'create the file yourself, name another with --config FILE, or run without any: iii --defaults',
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
      causes: [messageOf(error)],
      fix: 'check that it is a configuration file and that you may read it',
    })
  }
}
