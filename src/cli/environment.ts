/** Environment variables of the command line. One whose value means nothing is wrong usage, never a default. */
import { readGrace } from '../config/grace.ts'
import type { Environment } from '../config/settings.ts'
import { type LogLevel, logLevels } from '../log/log.ts'
import { redactText } from '../log/redact.ts'
import { CommandError } from './commandError.ts'
import { exitCodes } from './exitCodes.ts'

export function invalidVariable(name: string, value: string, wanted: string): CommandError {
  return new CommandError(`the environment variable ${name} must be ${wanted}`, {
    code: 'environment_invalid',
    causes: [`it is '${redactText(value)}'`],
    fix: `set ${name} to such a value, or unset it`,
    exitCode: exitCodes.usage,
  })
}

/** Unset and empty are off. */
export function isOn(env: Environment, name: string): boolean {
  const value = env[name] ?? ''
  if (value === '1' || value === 'true') return true
  if (value === '' || value === '0' || value === 'false') return false
  throw invalidVariable(name, value, '1 or true (on), 0, false or empty (off)')
}

/** `undefined` when the variable is not set. */
export function logLevelFrom(env: Environment): LogLevel | undefined {
  const value = env.III_LOG_LEVEL ?? ''
  if (value === '') return undefined
  const level = logLevels.find(each => each === value.toLowerCase())
  if (level !== undefined) return level
  throw invalidVariable('III_LOG_LEVEL', value, `one of ${logLevels.join(', ')}`)
}

export function checkGrace(env: Environment): void {
  if (readGrace(env).problem === undefined) return
  const name = 'III_NAMESPACE_GRACE_MS'
  throw invalidVariable(name, env[name] ?? '', 'a whole number of milliseconds, as 5000')
}
