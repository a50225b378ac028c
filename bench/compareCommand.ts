/**
 *     bun run bench compare                     measures, and prints it beside the figures of bench/RESULTS.md
 *     bun run bench compare --run now.json      the same with a run that was kept
 *     bun run bench compare --with before.json  beside another run
 *
 * Ratios above 1 are better than what was kept, for times and rates alike.
 */
import { join } from 'node:path'
import { asKept, compare, comparisonTable, type Kept, readRun, verdictOf } from './compare.ts'
import { takeMeasures } from './measure.ts'
import { benchCommand, positive, print, readFlags, say, selectionOf, WRONG_USAGE } from './options.ts'
import { jsonLines } from './table.ts'

const RESULTS = join(import.meta.dir, 'RESULTS.md')

interface CompareFlags {
  readonly run?: string
  readonly with: string
  readonly failBelow?: number
  readonly json: boolean
}

async function readFile(file: string): Promise<Map<string, Kept> | undefined> {
  try {
    return readRun(await Bun.file(file).text())
  } catch (error) {
    say(`error: ${file} cannot be used: ${error instanceof Error ? error.message : error}`)
    say('fix:   give a file with the output of bun run bench, as a table or with --json')
    return undefined
  }
}

/** Returns the exit code. */
export async function compareCommand(args: readonly string[]): Promise<number> {
  const program = benchCommand('bun run bench compare')
    .description('Prints a run beside figures that were kept, as ratios: above 1 is better.')
    .option('--run <file>', 'a run that was kept, instead of measuring now')
    .option('--with <file>', 'what it is compared with', RESULTS)
    .option(
      '--fail-below <ratio>',
      'end with 1 if a ratio (against the peer, if there is one) is below',
      positive,
    )
    .option('--json', 'one JSON object per line', false)
    .parse(args, { from: 'user' })
  const flags = program.opts<CompareFlags>()
  const selection = selectionOf(program)
  const kept = selection && (await readFile(flags.with))
  if (selection === undefined || kept === undefined) return WRONG_USAGE
  const { infos, selected } = selection
  const chosen = infos.filter(({ name }) => selected.has(name))
  let now: Map<string, Kept> | undefined
  let failed = false
  if (flags.run === undefined) {
    const taken = await takeMeasures(infos, selected, readFlags(program).options, say)
    now = asKept(taken.measures)
    failed = taken.failed
  } else {
    now = await readFile(flags.run)
    if (now === undefined) return WRONG_USAGE
  }
  const comparisons = compare(chosen, kept, now)
  print(flags.json ? jsonLines(comparisons) : comparisonTable(comparisons))
  if (flags.failBelow === undefined) return failed ? 1 : 0
  const worse = comparisons.filter(comparison => (verdictOf(comparison) ?? 1) < flags.failBelow!)
  for (const { name } of worse) say(`${name} is below ${flags.failBelow} of what it was`)
  return worse.length > 0 || failed ? 1 : 0
}
