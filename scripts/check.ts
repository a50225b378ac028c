/**
 * Says whether the code is in order, and changes nothing: Biome (format, lint) and the type check.
 *
 *     npm run check
 *
 * `bun run format` mends what Biome can mend by itself.
 */
import { join } from 'node:path'

const root = join(import.meta.dir, '..')

/** The installed programs themselves, run by the Bun at hand: a machine without Node runs the same. */
const checks = {
  'biome (format and lint)': ['@biomejs/biome/bin/biome', 'check', '--error-on-warnings'],
  'tsc (types)': ['typescript/bin/tsc', '--noEmit'],
}

/** Runs all checks, also after one has failed. Returns the names of those that failed. */
export async function failedChecks(): Promise<string[]> {
  const results = Object.entries(checks).map(async ([name, [program, ...args]]) => {
    const command = [process.execPath, join(root, 'node_modules', program!), ...args]
    const child = Bun.spawn(command, { cwd: root, stdout: 'pipe', stderr: 'pipe' })
    const [code, out, errors] = await Promise.all([
      child.exited,
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ])
    process.stderr.write(code === 0 ? `ok      ${name}\n` : `${out}${errors}failed  ${name}\n`)
    return code === 0 ? [] : [name]
  })
  return (await Promise.all(results)).flat()
}

if (import.meta.main) process.exit((await failedChecks()).length === 0 ? 0 : 1)
