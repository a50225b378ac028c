/** The last step to settings: what the environment overrides, and the embedded defaults. */
import { dirname, resolve } from 'node:path'
import { limits } from '../protocol/limits.ts'
import { readGrace } from './grace.ts'
import { type Placement, placeDefaults } from './place.ts'
import type { Acceptor, ConfigContext, ConfigResult, Settings } from './settings.ts'

/** The settings of an engine that runs without a configuration file. */
export function defaultSettings(context: ConfigContext): ConfigResult {
  const grace = readGrace(context.env)
  if (grace.problem !== undefined) return { ok: false, problems: [grace.problem], untold: 0 }
  const placement = placeDefaults(context.knownWorkers)
  return {
    ok: true,
    settings: complete(
      placement,
      { graceMs: grace.ms, shards: 'auto', acceptor: undefined, data: undefined, file: undefined },
      context,
    ),
  }
}

/** Of the engine, unless it is told another one. */
const DATA_FOLDER = 'data'

/** What a file says; `undefined`: nothing. */
interface Chosen {
  readonly graceMs: number | undefined
  readonly shards: number | 'auto'
  readonly acceptor: Acceptor | undefined
  readonly data: string | undefined
  readonly file: string | undefined
}

export function complete(
  placement: Placement,
  { graceMs, shards, acceptor, data, file }: Chosen,
  { insecure, threads, folders }: ConfigContext,
): Settings {
  const namespaceGraceMs = graceMs ?? limits.namespaceGraceMs
  const count = threads.shards ?? (shards === 'auto' ? usualShards(threads.cores) : shards)
  const accepting = threads.acceptor ?? acceptor ?? threads.usualAcceptor
  const base = file === undefined ? folders.cwd : dirname(file)
  const folder =
    folders.data === undefined ? resolve(base, data ?? DATA_FOLDER) : resolve(folders.cwd, folders.data)
  return {
    ...placement,
    namespaceGraceMs,
    shards: count,
    acceptor: accepting,
    file,
    insecure,
    data: { folder, base },
  }
}

/**
 * Workers and clients need cores, too: half of them are the shards'. Below four a shard would only take turns with the
 * main thread, and everything is on one.
 */
function usualShards(cores: number): number {
  return cores < 4 ? 0 : Math.min(Math.floor(cores / 2), limits.usualShards)
}
