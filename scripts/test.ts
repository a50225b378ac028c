/**
 * Runs everything that says whether the project is in order: the checks, then all tests, then those that start engines
 * again on engines with shards (`shapes.ts`).
 *
 *     npm test                             all of it
 *     npm test -- tests/http               only the test files below a path (and no checks)
 *     npm test -- --test-name-pattern HEAD options go to `bun test` as they are
 *
 * The last line says `N passed, N failed`; when tests were skipped, the line before says how many. A check counts like a test.
 * Ends with 0 only if nothing failed and something passed. The results are also in `.cache/junit.xml` and, for runs on
 * shards, in files beside it.
 */
import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { failedChecks } from './check.ts'
import { createFailures } from './failures.ts'
import { shapes } from './shapes.ts'
import { readTotals, type Totals, totalsLine } from './totals.ts'

const root = join(import.meta.dir, '..')
const args = process.argv.slice(2)
const everything = args.length === 0

/** Enough of the end of the output to hold the closing lines. */
const KEPT_CHARACTERS = 4000

const PATIENCE_MS = 30_000

/** What failing tests have printed, to be seen again at the end: the output of a run is long. */
const failures: string[] = []

/** `report`: name of the file with the results, in `.cache`. */
async function runTests(
  paths: readonly string[],
  report: string,
  env: Readonly<Record<string, string>>,
): Promise<Totals> {
  mkdirSync(join(root, '.cache'), { recursive: true })
  const child = Bun.spawn(
    [
      process.execPath,
      'test',
      // A child process that a failing test leaves behind ends with the run.
      '--no-orphans',
      // A test that says nothing of its time has this much: on a busy machine seconds say nothing.
      `--timeout=${PATIENCE_MS}`,
      '--reporter=junit',
      `--reporter-outfile=${join(root, '.cache', report)}`,
      ...paths,
    ],
    {
      cwd: root,
      stdout: 'inherit',
      stderr: 'pipe',
      env: { ...process.env, ...env, ...(process.stderr.isTTY ? { FORCE_COLOR: '1' } : {}) },
    },
  )
  let end = ''
  const found = createFailures()
  const decoder = new TextDecoder()
  for await (const chunk of child.stderr) {
    process.stderr.write(chunk)
    const text = decoder.decode(chunk, { stream: true })
    end = (end + text).slice(-KEPT_CHARACTERS)
    found.read(text)
  }
  failures.push(...found.texts())
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

/** All shapes, one after the other. */
async function runShapes(): Promise<Totals> {
  const totals: Totals = { passed: 0, failed: 0, skipped: 0 }
  const failed: string[] = []
  for (const [index, { name, env, paths = [''] }] of shapes.entries()) {
    const startedAt = performance.now()
    process.stderr.write(`\nTests on ${name} (${index + 1} of ${shapes.length})\n`)
    const report = index === 0 ? 'junit.xml' : `junit-${index}.xml`
    const run = await runTests(
      paths.map(path => join(root, 'tests', path)),
      report,
      env,
    )
    totals.passed += run.passed
    totals.failed += run.failed
    totals.skipped += run.skipped
    if (run.failed > 0) failed.push(name)
    const seconds = Math.round((performance.now() - startedAt) / 1000)
    process.stderr.write(`\nOn ${name}: ${totalsLine(run)}, in ${seconds} s\n`)
  }
  if (failed.length > 0) {
    process.stderr.write(`\nWhat failed, once more:\n\n${failures.join('\n')}`)
    process.stderr.write(`\nTests failed on ${failed.join(', on ')}\n`)
  }
  return totals
}

const startedAt = performance.now()
const checks = everything ? await failedChecks() : []
// An absolute path names one file or folder; any other word is looked for in the path of every test file.
const paths = args.map(arg => (existsSync(resolve(root, arg)) ? resolve(root, arg) : arg))
const totals = everything ? await runShapes() : await runTests(paths, 'junit.xml', {})
totals.failed += checks.length
if (checks.length > 0) process.stderr.write(`\nFailed checks: ${checks.join(', ')}\n`)
if (everything)
  process.stderr.write(`\nAll of it took ${Math.round((performance.now() - startedAt) / 1000)} s\n`)
if (totals.skipped > 0) console.log(`${totals.skipped} skipped`)
console.log(totalsLine({ ...totals, skipped: 0 }))
process.exit(totals.failed === 0 && totals.passed > 0 ? 0 : 1)
