/**
 * Measures what is promised and prints one table.
 *
 *     bun run bench                        everything, about twelve minutes
 *     bun run bench --quick                everything, about four minutes, for a first look
 *     bun run bench calls http-post        what these words name, and what it is compared with
 *     bun run bench --list                 all measures
 *     bun run bench compare                the same run beside figures that were kept (`compareCommand.ts`)
 *
 * Progress goes to stderr; stdout has the table, or with `--json` one JSON object per line.
 */
import { compareCommand } from './compareCommand.ts'
import { takeMeasures } from './measure.ts'
import { benchCommand, print, readFlags, say, selectionOf, WRONG_USAGE } from './options.ts'
import { jsonLines, listTable, measureTable } from './table.ts'

async function bench(args: readonly string[]): Promise<number> {
  const program = benchCommand('bun run bench')
    .description('Measures the engine over real sockets, beside its peers, and single steps of it.')
    .option('--json', 'one JSON object per line: {name, value, unit, peer?, ratio?}', false)
    .option('--list', 'print what can be measured, and measure nothing', false)
    .addHelpText('after', '\nbun run bench compare --help: beside figures that were kept')
    .parse(args, { from: 'user' })
  const { json, list } = program.opts<{ json: boolean; list: boolean }>()
  const selection = selectionOf(program)
  if (selection === undefined) return WRONG_USAGE
  const { infos, selected } = selection
  if (list) {
    const chosen = infos.filter(({ name }) => selected.has(name))
    print(json ? jsonLines(chosen) : listTable(chosen))
    return 0
  }
  const { measures, failed } = await takeMeasures(infos, selected, readFlags(program).options, say)
  print(json ? jsonLines(measures) : measureTable(measures))
  return failed ? 1 : 0
}

const args = process.argv.slice(2)
process.exit(args[0] === 'compare' ? await compareCommand(args.slice(1)) : await bench(args))
