/**
 * Measures what is promised and prints one table.
 *
 *     bun run bench                        everything, about six minutes
 *     bun run bench calls http-post        what these words name, and what it is compared with
 *     bun run bench --list                 all measures
 *
 * Progress goes to stderr; stdout has the table, or with `--json` one JSON object per line.
 */
import { resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { catalogue, isNamedBy, selectMeasures } from './catalogue.ts'
import { MOST_PLACES } from './clients/wire.ts'
import type { BenchContext, BenchOptions, Suite, Values } from './context.ts'
import { mainFile } from './engine.ts'
import { describeMachine, watchOthers } from './machine.ts'
import { measureCalls } from './suites/calls.ts'
import { measureHttp } from './suites/http.ts'
import { measureLost } from './suites/lost.ts'
import { measureMicro } from './suites/micro.ts'
import { measureRing } from './suites/ring.ts'
import { measureStarts } from './suites/start.ts'
import { jsonLines, listTable, measureTable, toMeasures } from './table.ts'

/** What measures each part of the catalogue, by the first part of the names. */
const suites: readonly { names: readonly string[]; measure: Suite }[] = [
  { names: ['calls', 'nats'], measure: measureCalls },
  { names: ['http'], measure: measureHttp },
  { names: ['start'], measure: measureStarts },
  { names: ['micro'], measure: measureMicro },
  { names: ['ring'], measure: measureRing },
  { names: ['lost'], measure: measureLost },
]

interface Flags extends Omit<BenchOptions, 'engine'> {
  readonly json: boolean
  readonly list: boolean
  readonly peers: boolean
  readonly engine?: string
}

const WRONG_USAGE = 2
/** When other processes take more of the machine than this, figures say more about them. */
const QUIET_SHARE = 0.05

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('a number above 0 is needed.')
  return value
}

function positiveInteger(text: string): number {
  const value = positive(text)
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('a whole number above 0 is needed.')
  return value
}

function levels(text: string): number[] {
  const list = text.split(',').map(positiveInteger)
  if (Math.max(...list) > MOST_PLACES)
    throw new InvalidArgumentError(`at most ${MOST_PLACES} can be in flight.`)
  return [...new Set(list)]
}

const program = new Command()
  .name('bun run bench')
  .description('Measures the engine over real sockets, beside its peers, and single steps of it.')
  .argument('[name...]', 'first parts of names of measures, for example: calls http-post micro-scan-small')
  .option('--json', 'one JSON object per line: {name, value, unit, peer?, ratio?}', false)
  .option('--list', 'print what can be measured, and measure nothing', false)
  .option('--seconds <n>', 'length of one timed run', positive, 3)
  .option('--rounds <n>', 'runs of each contestant, in turn; the median counts', positiveInteger, 3)
  .option('--in-flight <n,n,…>', 'levels of calls in flight', levels, [1, 32, 256, 1024])
  .option('--calls <n>', 'calls of the search for lost answers', positiveInteger, 10_000_000)
  .option('--starts <n>', 'how often a start is measured', positiveInteger, 7)
  .option('--no-peers', 'leave out what is measured only to be compared with')
  .option(
    '--engine <file>',
    'entry file of the engine, to measure another checkout; default: src/main.ts here',
  )
  .exitOverride(error => process.exit(error.exitCode === 0 ? 0 : WRONG_USAGE))

const say = (text: string): void => void process.stderr.write(`${text}\n`)

async function bench(
  words: readonly string[],
  { json, list, peers, engine, ...options }: Flags,
): Promise<number> {
  const infos = catalogue(options.inFlight)
  const strange = words.find(word => !infos.some(({ name }) => isNamedBy(name, word)))
  if (strange !== undefined) {
    say(`error: no measure is named "${strange}"\nfix:   bun run bench --list shows all names`)
    return WRONG_USAGE
  }
  const selected = selectMeasures(infos, words, peers)
  const chosen = infos.filter(({ name }) => selected.has(name))
  if (list) {
    print(json ? jsonLines(chosen) : listTable(chosen))
    return 0
  }

  say(describeMachine(new Date()))
  const context: BenchContext = {
    options: { ...options, engine: engine === undefined ? mainFile : resolve(engine) },
    say,
    wanted: name => selected.has(name),
  }
  const values: Values = {}
  let exitCode = 0
  for (const { names, measure } of suites) {
    if (!chosen.some(({ name }) => names.some(word => isNamedBy(name, word)))) continue
    const othersShare = watchOthers()
    try {
      Object.assign(values, await measure(context))
      sayNoise(names, othersShare())
    } catch (error) {
      // What the other suites measured took minutes and is still worth having.
      say(`error: ${names.join(' and ')}: ${error instanceof Error ? error.message : error}`)
      exitCode = 1
    }
  }
  const measures = toMeasures(chosen, values)
  print(json ? jsonLines(measures) : measureTable(measures))
  return exitCode
}

function sayNoise(names: readonly string[], share: number | undefined): void {
  if (share === undefined) return
  const text = `${names.join(' and ')}: other processes took ${Math.round(share * 100)} % of the machine meanwhile`
  say(share > QUIET_SHARE ? `${text}; do not keep these figures` : text)
}

function print(text: string): void {
  if (text !== '') console.log(text)
}

program.parse()
process.exit(await bench(program.args, program.opts<Flags>()))
