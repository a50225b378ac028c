/** The last step to settings: what the environment overrides, and the embedded defaults. */
import { limits } from '../protocol/limits.ts'
import { type Placement, placeDefaults } from './place.ts'
import type { ConfigContext, ConfigProblem, ConfigResult, Environment, Settings } from './settings.ts'

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

const GRACE_VARIABLE = 'III_NAMESPACE_GRACE_MS'

/** The grace, in milliseconds, as the environment overrides it. */
export function readGrace(env: Environment): { ms: number | undefined; problem: ConfigProblem | undefined } {
  const text = env[GRACE_VARIABLE]
  if (text === undefined || text === '') return { ms: undefined, problem: undefined }
  if (/^\d{1,9}$/.test(text)) return { ms: Number(text), problem: undefined }
  const message = `the environment variable ${GRACE_VARIABLE} must be a whole number of milliseconds`
  return {
    ms: undefined,
    problem: { path: '', line: undefined, column: undefined, message, suggestion: undefined },
  }
}
