/**
 * Runs everything that says whether the project is in order: the checks, then all tests.
 *
 *     npm test                             all of it
 *     npm test -- tests/http               only the test files below a path (and no checks)
 *     npm test -- --test-name-pattern HEAD options go to `bun test` as they are
 *
 * The last line says `N passed, N failed`, with `, N skipped` when tests were skipped; a check counts like a test.
 * Ends with 0 only if nothing failed and something passed. The results are also in `.cache/junit.xml`.
 */
import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { failedChecks } from './check.ts'
import { readTotals, type Totals, totalsLine } from './totals.ts'

const root = join(import.meta.dir, '..')
const args = process.argv.slice(2)
const everything = args.length === 0

/** Enough of the end of the output to hold the closing lines. */
const KEPT_CHARACTERS = 4000

async function runTests(): Promise<Totals> {
  mkdirSync(join(root, '.cache'), { recursive: true })
  // An absolute path names one file or folder; any other word is looked for in the path of every test file.
  const paths = args.map(arg => (existsSync(resolve(root, arg)) ? resolve(root, arg) : arg))
  const child = Bun.spawn(
    [
      process.execPath,
      'test',
      // A child process that a failing test leaves behind ends with the run.
      '--no-orphans',
      '--reporter=junit',
      `--reporter-outfile=${join(root, '.cache', 'junit.xml')}`,
      ...(everything ? [join(root, 'tests')] : paths),
    ],
    {
      cwd: root,
      stdout: 'inherit',
      stderr: 'pipe',
      env: { ...process.env, ...(process.stderr.isTTY ? { FORCE_COLOR: '1' } : {}) },
    },
  )
  let end = ''
  const decoder = new TextDecoder()
  for await (const chunk of child.stderr) {
    process.stderr.write(chunk)
    end = (end + decoder.decode(chunk, { stream: true })).slice(-KEPT_CHARACTERS)
  }
  const code = await child.exited
  const totals = readTotals(end)
  if (totals === undefined) {
    process.stderr.write(
      `\nThe test run ended early with code ${code}: a test ended its process, or none was found.\n`,
    )
    return { passed: 0, failed: 1, skipped: 0 }
  }
  return code === 0 || totals.failed > 0 ? totals : { ...totals, failed: 1 }
}

const checks = everything ? await failedChecks() : []
const totals = await runTests()
totals.failed += checks.length
if (checks.length > 0) process.stderr.write(`\nFailed checks: ${checks.join(', ')}\n`)
console.log(totalsLine(totals))
process.exit(totals.failed === 0 && totals.passed > 0 ? 0 : 1)
