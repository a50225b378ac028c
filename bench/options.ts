/** What can be said on the command line about what is measured, and how thoroughly. */
import { resolve } from 'node:path'
import { Command, InvalidArgumentError, type OptionValueSource } from 'commander'
import { catalogue, isNamedBy, type MeasureInfo, selectMeasures } from './catalogue.ts'
import { MOST_PLACES } from './clients/wire.ts'
import type { BenchOptions } from './context.ts'
import { mainFile } from './engine.ts'
import { SHARD_LEVELS } from './shapes.ts'
import { STATE_LEVELS } from './suites/state.ts'

export const WRONG_USAGE = 2

interface Flags extends Omit<BenchOptions, 'engine'> {
  readonly quick: boolean
  readonly peers: boolean
  readonly engine?: string
}

/** Instead of the defaults, when a first look is enough. */
const QUICK = { seconds: 1, rounds: 1, calls: 300_000, starts: 3, keys: 100_000, messages: 50_000 } as const

export const say = (text: string): void => void process.stderr.write(`${text}\n`)

export function print(text: string): void {
  if (text !== '') console.log(text)
}

export function positive(text: string): number {
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

export function benchCommand(name: string): Command {
  return new Command()
    .name(name)
    .argument('[name...]', 'first parts of names of measures, for example: calls http-post micro-scan-small')
    .option('--quick', 'one short run of each: for a first look, not for keeping', false)
    .option('--seconds <n>', 'length of one timed run', positive, 2.25)
    .option('--rounds <n>', 'runs of each contestant, in turn; the median counts', positiveInteger, 3)
    .option(
      '--in-flight <n,n,…>',
      'levels of calls in flight; with shards 1,256 if not given',
      levels,
      [1, 32, 256, 1024],
    )
    .option('--calls <n>', 'calls of each search for lost answers', positiveInteger, 2_000_000)
    .option('--starts <n>', 'how often a start is measured', positiveInteger, 7)
    .option('--workers <n>', 'idle workers', positiveInteger, 10_000)
    .option('--keys <n>', 'keys of the suite `keys`', positiveInteger, 1_000_000)
    .option('--messages <n>', 'messages that wait, of the suite `queue`', positiveInteger, 1_000_000)
    .option('--no-peers', 'leave out what is measured only to be compared with')
    .option(
      '--engine <file>',
      'entry file of the engine, to measure another checkout; default: src/main.ts here',
    )
    .exitOverride(error => process.exit(error.exitCode === 0 ? 0 : WRONG_USAGE))
}

export function readFlags(command: Command): { options: BenchOptions; peers: boolean } {
  const { quick, peers, engine, ...given } = command.opts<Flags>()
  const isDefault = (name: string): boolean =>
    command.getOptionValueSource(name) === ('default' satisfies OptionValueSource)
  const quicker = quick ? Object.fromEntries(Object.entries(QUICK).filter(([name]) => isDefault(name))) : {}
  const options = { ...given, ...quicker, engine: engine === undefined ? mainFile : resolve(engine) }
  return { options, peers }
}

/** All measures there are, and those asked for; `undefined` after saying what is wrong. */
export function selectionOf(command: Command): { infos: MeasureInfo[]; selected: Set<string> } | undefined {
  const { options, peers } = readFlags(command)
  const areLevelsGiven = command.getOptionValueSource('inFlight') !== 'default'
  const ownLevels = (usual: readonly number[]) => (areLevelsGiven ? options.inFlight : usual)
  const infos = catalogue(options.inFlight, ownLevels(SHARD_LEVELS), ownLevels(STATE_LEVELS))
  const words = command.args
  const strange = words.find(word => !infos.some(({ name }) => isNamedBy(name, word)))
  if (strange === undefined) return { infos, selected: selectMeasures(infos, words, peers) }
  say(`error: no measure is named "${strange}"\nfix:   bun run bench --list shows all names`)
  return undefined
}
