/** The grace in the environment: how long the engine waits for an announce. */
import type { ConfigProblem, Environment } from './settings.ts'

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
