/** The engine under measurement: the real program, from source, in a process of its own with a configuration of its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Running, start } from './processes.ts'

export const mainFile = join(import.meta.dir, '..', 'src', 'main.ts')

export interface EnginePorts {
  /** 0 = any free port. */
  workers: number
  http: number
}

export interface EngineOptions {
  readonly ports?: EnginePorts
  /** Of the command line; one thread if absent. */
  readonly options?: readonly string[]
  /** Of the runtime. */
  readonly runtime?: readonly string[]
  /** Added to the environment. */
  readonly env?: Record<string, string>
  /** Workers beside the usual ones: lines of the configuration. */
  readonly workers?: readonly string[]
  /** The data folder; one of its own if absent, which goes with the run. */
  readonly data?: string
}

export interface RunningEngine extends Running {
  /** Resolves when it says that it listens. */
  readonly addresses: Promise<{ workers: string; http: string; stream?: string }>
}

const configuration = ({ workers, http }: EnginePorts, more: readonly string[]): string =>
  ['workers:', `  - { name: iii-worker-manager, config: { port: ${workers} } }`]
    .concat(`  - { name: iii-http, config: { port: ${http} } }`, ...more.map(line => `  - ${line}`))
    .join('\n')

const folder = mkdtempSync(join(tmpdir(), 'iii-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
let engines = 0

/** Starts an engine; `entry` is the file of its command, so that another checkout can be measured with the same bench. */
export function startEngine(
  entry: string,
  {
    ports = { workers: 0, http: 0 },
    options = ['--shards', '0'],
    runtime = [],
    env,
    workers = [],
    data,
  }: EngineOptions = {},
): RunningEngine {
  const number = engines++
  const file = join(folder, `${number}.yaml`)
  writeFileSync(file, configuration(ports, workers))
  const fixed = ['--config', file, '--json', '--log-level', 'error']
  if (workers.length > 0) fixed.push('--data', data ?? join(folder, `data-${number}`))
  const engine = start([process.execPath, ...runtime, entry, ...fixed, ...options], undefined, env)
  const addresses = engine.firstLine.then(line => JSON.parse(line).addresses)
  // Whoever waits for the addresses hears of a failure; nobody has to.
  addresses.catch(() => {})
  return { ...engine, addresses }
}
