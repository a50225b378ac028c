/** Which data folder a command means. */
import { resolve } from 'node:path'
import type { KnownWorkers } from '../../config/settings.ts'
import { CONFIG_FILE, findUpwards } from '../serve/configFile.ts'
import { loadSettings } from '../serve/loadSettings.ts'
import type { Terminal } from '../terminal.ts'

/** The named one, else that of the engine that would start here. Absolute. */
export async function dataFolder(
  named: string | undefined,
  terminal: Terminal,
  knownWorkers: KnownWorkers,
): Promise<string> {
  if (named !== undefined) return resolve(terminal.cwd, named)
  const config = findUpwards(terminal.cwd, CONFIG_FILE)
  const flags = config === undefined ? { defaults: true } : { config }
  const { data } = await loadSettings(flags, terminal, knownWorkers)
  return data.folder
}
