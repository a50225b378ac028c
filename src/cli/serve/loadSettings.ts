/** The settings of this run, from flags, environment and file. */
import { availableParallelism } from 'node:os'
import { defaultSettings } from '../../config/complete.ts'
import type {
  ConfigContext,
  ConfigProblem,
  ConfigResult,
  KnownWorkers,
  Settings,
  ThreadContext,
} from '../../config/settings.ts'
import { CommandError } from '../commandError.ts'
import { checkGrace, isOn } from '../environment.ts'
import type { Terminal } from '../terminal.ts'
import { chooseConfigFile, readConfigFile } from './configFile.ts'
import type { ServeFlags } from './flags.ts'

export async function loadSettings(
  flags: ServeFlags,
  terminal: Terminal,
  knownWorkers: KnownWorkers,
): Promise<Settings> {
  const { env } = terminal
  const insecure = flags.insecure || isOn(env, 'III_INSECURE')
  checkGrace(env)
  const folders = { cwd: terminal.cwd, data: flags.data }
  const context: ConfigContext = { env, knownWorkers, insecure, threads: threadContext(flags), folders }
  if (flags.defaults) return settingsOf(defaultSettings(context), 'the settings are not valid')
  const path = await chooseConfigFile(flags.config, terminal)
  const text = readConfigFile(path)
  // The YAML library is the slowest thing to load; a run on defaults does without.
  const { readConfig } = await import('../../config/read.ts')
  return settingsOf(readConfig(text, { ...context, path }), `Failed to parse config file '${path}'`)
}

function settingsOf(result: ConfigResult, failure: string): Settings {
  if (result.ok) return result.settings
  const { problems, untold } = result
  const count = problems.length + untold
  throw new CommandError(count === 1 ? failure : `${failure}: ${count} problems`, {
    code: 'config_invalid',
    causes: [...problems.map(describeProblem), ...(untold === 0 ? [] : [`and ${untold} more`])],
    fix: 'correct it and start again',
  })
}

/** `line 4, column 7: workers[0].config.prot: unknown key. Did you mean 'port'?` */
function describeProblem({ line, column, path, message, suggestion }: ConfigProblem): string {
  const place = line === undefined ? [] : [`line ${line}, column ${column}`]
  const text = [...place, ...(path === '' ? [] : [path]), message].join(': ')
  return suggestion === undefined ? text : `${text}. ${suggestion}`
}

function threadContext({ shards, acceptor }: ServeFlags): ThreadContext {
  // Elsewhere the kernel gives all connections of a shared port to one listener.
  const usualAcceptor = process.platform === 'linux' ? 'kernel' : 'thread'
  return { cores: availableParallelism(), usualAcceptor, shards, acceptor }
}
