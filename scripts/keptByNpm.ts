/** `npm start --data=x`: without a `--` before them npm keeps options for itself, and leaves them in the environment. */

/** Options of the engine that would silently be lost; a test compares with those that there are. */
const options = [
  'config',
  'defaults',
  'insecure',
  'shards',
  'acceptor',
  'data',
  'log-level',
  'log-format',
  'drain-ms',
  'json',
]

/** Those of them, without dashes, that npm has kept. Run without npm: none. */
export function keptByNpm(env: Readonly<Record<string, string | undefined>>): string[] {
  if (env.npm_lifecycle_event === undefined) return []
  return options.filter(option => env[`npm_config_${option.replaceAll('-', '_')}`] !== undefined)
}
