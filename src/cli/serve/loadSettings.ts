/** The settings of this run, from flags, environment and file. */
import type {
  ConfigContext,
  ConfigProblem,
  ConfigResult,
  KnownWorkers,
  Settings,
} from '../../config/settings.ts'
import { CommandError, usageError } from '../commandError.ts'
import type { Terminal } from '../terminal.ts'
import { chooseConfigFile, readConfigFile } from './configFile.ts'
import type { ServeFlags } from './flags.ts'

export async function loadSettings(
  flags: ServeFlags,
  terminal: Terminal,
  knownWorkers: KnownWorkers,
): Promise<Settings> {
  const { env } = terminal
  const context: ConfigContext = { env, knownWorkers, insecure: flags.insecure || isOn(env, 'III_INSECURE') }
  if (flags.defaults) {
    const { defaultSettings } = await import('../../config/complete.ts')
    return settingsOf(defaultSettings(context), 'the environment is not valid')
  }
  const path = await chooseConfigFile(flags.config, terminal)
  const text = readConfigFile(path)
  // The YAML library is the slowest thing to load; a run on defaults does without.
  const { readConfig } = await import('../../config/read.ts')
  return settingsOf(readConfig(text, { ...context, path }), `Failed to parse config file '${path}'`)
}

function isOn(env: Terminal['env'], name: string): boolean {
  const value = env[name] ?? ''
  if (value === '1' || value === 'true') return true
  if (value === '' || value === '0' || value === 'false') return false
  throw usageError(`the environment variable ${name} must be 1 or 0`)
}

function settingsOf(result: ConfigResult, failure: string): Settings {
  if (result.ok) return result.settings
  const { problems } = result
  const count = problems.length === 1 ? '' : `: ${problems.length} problems`
  throw new CommandError(failure + count, {
    causes: problems.map(describeProblem),
    fix: 'correct it and start again',
  })
}

/** `line 4, column 7: workers[0].config.prot: unknown key. Did you mean 'port'?` */
function describeProblem({ line, column, path, message, suggestion }: ConfigProblem): string {
  const place = line === undefined ? [] : [`line ${line}, column ${column}`]
  const text = [...place, ...(path === '' ? [] : [path]), message].join(': ')
  return suggestion === undefined ? text : `${text}. ${suggestion}`
}
