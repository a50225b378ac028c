/** The last step to settings: what the environment overrides, and the embedded defaults. */
import { limits } from '../protocol/limits.ts'
import { readGrace } from './grace.ts'
import { type Placement, placeDefaults } from './place.ts'
import type { ConfigContext, ConfigResult, Settings } from './settings.ts'

/** The settings of an engine that runs without a configuration file. */
export function defaultSettings(context: ConfigContext): ConfigResult {
  const grace = readGrace(context.env)
  if (grace.problem !== undefined) return { ok: false, problems: [grace.problem], untold: 0 }
  const placement = placeDefaults(context.knownWorkers)
  return { ok: true, settings: complete(placement, { graceMs: grace.ms, file: undefined }, context) }
}

export function complete(
  placement: Placement,
  { graceMs, file }: { graceMs: number | undefined; file: string | undefined },
  { insecure }: ConfigContext,
): Settings {
  return { ...placement, namespaceGraceMs: graceMs ?? limits.namespaceGraceMs, file, insecure }
}
