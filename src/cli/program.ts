/**
 * The commands and options of `iii`, and what runs for each. Only what a command needs is loaded, because the engine
 * is to be up in a fifth of a second.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { systemClock } from '../clock/clock.ts'
import { logLevels } from '../log/log.ts'
import { nearestName } from '../log/nearest.ts'
import { ENGINE_PORT } from '../protocol/address.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { CommandError, describeFailure, usageError } from './commandError.ts'
import type { CommandParts } from './commandParts.ts'
import { addCronCommands } from './cron/commands.ts'
import { addDataCommands } from './data/commands.ts'
import { exitCodes } from './exitCodes.ts'
import { addQueueCommands } from './queue/commands.ts'
import type { ServeFlags } from './serve/flags.ts'
import type { SpokenCommand } from './spokenCommand.ts'
import type { StatusFlags } from './status/run.ts'
import type { Terminal } from './terminal.ts'
import type { Dialler } from './trigger/connection.ts'
import type { TriggerFlags } from './trigger/request.ts'
import { version } from './version.ts'
import type { WorkerRunFlags } from './worker/run.ts'

const WRONG_USAGE: ErrorCode = 'wrong_usage'

/** Commands of the format that later versions bring, and what there is instead. */
const laterCommands = ({ iii }: SpokenCommand): Readonly<Record<string, string>> => ({
  project: 'write config.yaml yourself: docs/configuration.md has all of it',
  compose: 'list built-in workers below `workers:` in config.yaml; start other workers by their own command',
  console: `ask the engine by the functions of docs/discovery.md: ${iii('trigger engine::workers::list')}`,
  update: 'pull the project and start again',
  cloud: 'there is nothing instead',
})

const serveHelp = (command: SpokenCommand): string => `
Without a command, iii runs the engine in the foreground. It reads the file named with --config, which has to exist,
else the first config.yaml in the working directory or above it; if there is none, it writes one that starts no
workers (on a terminal it asks first). With --defaults it reads no file: the worker listener is on 127.0.0.1:${ENGINE_PORT}
and the built-in workers start with their defaults, HTTP on 127.0.0.1:3111.

The first SIGINT or SIGTERM lets running work end (--drain-ms), then the exit code is 0; a second one stops at once.

Environment:
  III_LOG_LEVEL            as --log-level, which goes before it (default: info)
  III_INSECURE             1 or true: as --insecure (default: off)
  III_NAMESPACE_GRACE_MS   how long a worker's announce is waited for, in ms (default: ${limits.namespaceGraceMs}, or the file's)
  III_URL                  engine that 'trigger', 'status', 'cron' and 'queue' call (default: ws://localhost:49134)
  NO_COLOR                 not empty: no colours

Exit codes: 0 success, 1 failure, 2 wrong usage, 124 time-out, 130 interrupted (SIGINT), 143 terminated (SIGTERM).${spoken(command)}`

const triggerHelp = (command: SpokenCommand): string => `
Values are JSON where they parse as JSON (a=10 is a number), else strings (name=bob).
With a function id, --help shows that function's own parameters.

Environment:
  III_URL         engine to call when neither --address nor --port is given (default: ws://localhost:49134)
  III_LOG_LEVEL   debug: what happens to the connection is told on stderr (default: info)

Examples:
  ${command.iii('trigger math::add a=2 b=3')}
  ${command.iii(`trigger --function-id math::add --payload '{"a": 2, "b": 3}'`)}
  echo '{"a": 2}' | ${command.iii('trigger math::add --json - b=3')}${spoken(command)}`

const statusHelp = (command: SpokenCommand): string => `
Environment:
  III_URL         engine to ask when neither --address nor --port is given (default: ws://localhost:49134)
  III_LOG_LEVEL   debug: what happens to the connection is told on stderr (default: info)

Exit codes: 0 it has answered, 1 it has not, 2 wrong usage, 124 no answer in time, 130 interrupted.${spoken(command)}`

const workerRunHelp = (command: SpokenCommand): string => `
NAME is the name of a built-in worker in any spelling (iii-state, state, workers/state). It connects like any worker, and again when the
connection is lost; where the engine has the same built-in, this one goes before it. What it keeps is kept by this process:
give it a data folder that no engine uses.

The first SIGINT or SIGTERM lets running calls end (--drain-ms), then the exit code is 0; a second one stops at once.

Environment:
  III_URL         engine to connect to when --url is not given (default: ws://localhost:49134)
  III_NAMESPACE   as --namespace, which goes before it
  III_LOG_LEVEL   as --log-level, which goes before it

Examples:
  ${command.iii('worker run workers/state --url ws://localhost:49134')}${spoken(command)}`

/** What to type where `iii` stands, unless that is it. */
function spoken({ iii }: SpokenCommand): string {
  return iii() === 'iii' ? '' : `\n\nHere, iii is: ${iii()}`
}

/** Runs the command that `words` (without program and script) say; returns the exit code. Never throws. */
export async function runCommandLine(words: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode: number = exitCodes.success
  const program = createProgram(terminal, code => {
    exitCode = code
  })
  try {
    await program.parseAsync([...words], { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.success : exitCodes.usage
    terminal.err(describeFailure(error))
    return error instanceof CommandError ? error.exitCode : exitCodes.failure
  } finally {
    await terminal.flush()
  }
}

const logLevelOption = (): Option =>
  new Option('--log-level <level>', 'lowest level that is logged (default: info)').choices(logLevels)

const logFormatOption = (): Option =>
  new Option(
    '--log-format <format>',
    'form of the log lines (default: human on a terminal, else json)',
  ).choices(['human', 'json'])

function createProgram(terminal: Terminal, end: (exitCode: number) => void): Command {
  const { command } = terminal
  const seeHelp = (words: string): string => `fix: '${command.iii(words)}' shows the options`
  // Inherited by every command below: help and errors go through the terminal, and nothing exits by itself.
  const program = new Command('iii')
    .exitOverride()
    .configureOutput({
      writeOut: text => void terminal.out(text),
      writeErr: terminal.err,
      outputError: (text, write) => write(`${text.trim().replaceAll('\n', ' ')} [${WRONG_USAGE}]\n`),
    })
    .showHelpAfterError(seeHelp('--help'))
    .enablePositionalOptions()
    .description('One engine for functions, triggers and workers.')
    .version(version, '-v, --version', 'print the version')
    .option('-c, --config <file>', 'configuration file (default: the first config.yaml here or above)')
    .addOption(new Option('--defaults', 'run on embedded defaults, without a file').conflicts('config'))
    .option('--insecure', 'let listeners go beyond this machine without authentication')
    .option(
      '--shards <number>',
      'threads that sockets are spread over; 0: one thread does everything',
      wholeNumber(0, limits.shards),
    )
    .addOption(
      new Option('--acceptor <who>', 'who accepts connections for shards').choices(['kernel', 'thread']),
    )
    .option(
      '--data <folder>',
      'where what must survive is kept (default: data, beside the configuration file)',
    )
    .addOption(logLevelOption())
    .addOption(logFormatOption())
    .option(
      '--drain-ms <ms>',
      `time for running work after the first stop signal (default: ${limits.drainMs})`,
      wholeNumber(0),
    )
    .option('--json', 'print one JSON document when started')
    .option('--no-update-check', 'accepted; this engine never looks for updates')
    .addHelpText('after', serveHelp(command))
    .helpCommand(false)
    .allowExcessArguments()
    .action(async (flags: ServeFlags) => {
      const [word] = program.args
      // Without this, a mistyped command would start an engine.
      if (word !== undefined) throw unknownCommand(program, word, command)
      // The defaults keep things: the thread for that loads its code while this one does. Others wait for the settings.
      const pool = flags.defaults ? (await import('../threads/pool.ts')).createPool(1) : undefined
      const [{ serve }, { startEngine }, { knownWorkers }] = await Promise.all([
        import('./serve/run.ts'),
        import('../threads/start.ts'),
        import('../threads/placement.ts'),
      ])
      const start: typeof startEngine = (settings, options) => startEngine(settings, { ...options, pool })
      end(await serve(flags, terminal, { startEngine: start, knownWorkers }))
    })

  const trigger = program
    .command('trigger [words...]')
    .alias('t')
    .usage('FUNCTION_ID [key=value ...] [options]')
    .description('call a function and print its answer')
    // Its own `--help` asks the engine when a function is named.
    .helpOption(false)
    .option('--function-id <id>', 'the function, when it is not the first word')
    .option('--payload <json>', 'whole payload; - reads standard input')
    .option('--json <json>', 'the same')
    .option('--file <path>', 'whole payload from a file')
    .option('--address <host>', 'host of the engine, or a ws:// address (default: III_URL, else localhost)')
    .option('--port <number>', `port of the engine (default: ${ENGINE_PORT})`, wholeNumber(1, 65_535))
    .option('--timeout-ms <ms>', `time for the answer (default: ${limits.callTimeoutMs})`, wholeNumber(1))
    .option('-n, --namespace <name>', 'namespace of the function (default: default)')
    .option('--void', 'do not wait for an answer')
    .option('--enqueue <queue>', 'send the call through a queue; prints the receipt')
    .option('-h, --help', 'this help, or the parameters of the named function')
    .addHelpText('after', triggerHelp(command))
    .showHelpAfterError(seeHelp('trigger --help'))
    .action(async (words: string[], flags: TriggerFlags) => {
      const [{ runTrigger }, dialler] = await Promise.all([import('./trigger/run.ts'), createDialler()])
      end(await runTrigger(words, flags, helpOf(trigger), terminal, dialler))
    })

  program
    .command('status')
    .allowExcessArguments(false)
    .usage('[options]')
    .description('show how an engine is, thread by thread')
    .option('--json', 'print one JSON document')
    .option('--watch', 'look again every 2 seconds, until interrupted')
    .option('--address <host>', 'host of the engine, or a ws:// address (default: III_URL, else localhost)')
    .option('--port <number>', `port of the engine (default: ${ENGINE_PORT})`, wholeNumber(1, 65_535))
    .addHelpText('after', statusHelp(command))
    .showHelpAfterError(seeHelp('status --help'))
    .action(async (flags: StatusFlags) => {
      const [{ runStatus }, dialler] = await Promise.all([import('./status/run.ts'), createDialler()])
      end(await runStatus(flags, terminal, dialler))
    })

  const worker = program
    .command('worker [words...]')
    .usage('run NAME [options]')
    .description('run a built-in worker as a process of its own')
    .allowUnknownOption()
    .action((words: string[]) => {
      const [word] = words
      if (word === undefined)
        throw usageError('no command is named', `write ${command.iii('worker run NAME')}`)
      throw new CommandError(`'iii worker ${word}' is not part of this version yet`, {
        code: 'not_in_this_version',
        fix: 'list built-in workers below `workers:` in config.yaml; start other workers by their own command',
      })
    })
  worker
    .command('run <name>')
    .allowExcessArguments(false)
    .description('run a built-in worker as a process of its own')
    .option('--url <address>', 'the engine: a ws:// address, or a host (default: III_URL, else localhost)')
    .option('-c, --config <file>', 'take its settings from the entry of this configuration file')
    .option('--data <folder>', 'where it keeps its things (default: data, beside the file or here)')
    .option('-n, --namespace <name>', 'namespace it is in (default: III_NAMESPACE, else default)')
    .addOption(
      new Option('--framing <framing>', 'how messages are written (default: msgpack)').choices([
        'msgpack',
        'json',
      ]),
    )
    .addOption(logLevelOption())
    .addOption(logFormatOption())
    .option(
      '--drain-ms <ms>',
      `time for running calls after the first stop signal (default: ${limits.drainMs})`,
      wholeNumber(0),
    )
    .option('--json', 'print one JSON document when it serves')
    .addHelpText('after', workerRunHelp(command))
    .showHelpAfterError(seeHelp('worker run --help'))
    .action(async (name: string, flags: WorkerRunFlags) => {
      const [
        { runWorker },
        { startAlone },
        { knownWorkers },
        { runsAlone },
        { connectWorker },
        { diagnose },
      ] = await Promise.all([
        import('./worker/run.ts'),
        import('../threads/alone.ts'),
        import('../threads/placement.ts'),
        import('../threads/parts.ts'),
        import('../../sdk/typescript/src/connect.ts'),
        import('./trigger/diagnose.ts'),
      ])
      const parts = { knownWorkers, canRun: runsAlone, startAlone, connect: connectWorker, diagnose }
      end(await runWorker(name, flags, terminal, parts))
    })

  const parts: CommandParts = { terminal, end, createDialler, seeHelp, wholeNumber }
  addCronCommands(program, parts)
  addQueueCommands(program, parts)
  addDataCommands(program, parts)

  for (const [name, instead] of Object.entries(laterCommands(command))) {
    program
      .command(`${name} [words...]`, { hidden: true })
      .helpOption(false)
      .allowUnknownOption()
      .action(async (words: string[]) => {
        const notYet = `'iii ${name}' is not part of this version yet`
        if (!words.some(word => word === '--help' || word === '-h')) {
          throw new CommandError(notYet, { code: 'not_in_this_version', fix: instead })
        }
        await terminal.out(`${notYet}.\nInstead: ${instead}.\n`)
      })
  }

  program
    .command('help [command]')
    .description('show the help of a command')
    .action(async (name: string | undefined) => {
      if (name === undefined || name === 'help') return void (await terminal.out(helpOf(program)))
      const named = program.commands.find(each => [each.name(), ...each.aliases()].includes(name))
      if (named === undefined) throw unknownCommand(program, name, command, 'help ')
      if (named === trigger) return void (await terminal.out(helpOf(named)))
      await named.parseAsync(['--help'], { from: 'user' })
    })
  return program
}

async function createDialler(): Promise<Dialler> {
  const [{ registerWorker }, { diagnose }] = await Promise.all([
    import('../../sdk/typescript/src/mod.ts'),
    import('./trigger/diagnose.ts'),
  ])
  return { connect: registerWorker, connectMs: limits.commandConnectMs, clock: systemClock, diagnose }
}

function unknownCommand(program: Command, word: string, { iii }: SpokenCommand, before = ''): CommandError {
  const known = program.commands.flatMap(each => [each.name(), ...each.aliases()])
  const nearest = nearestName(word, known)
  const fix =
    nearest === undefined
      ? `'${iii('--help')}' shows the commands`
      : `did you mean '${iii(before + nearest)}'?`
  return usageError(`'${word}' is not a command`, fix)
}

/** The complete help text, the part added after it included. */
function helpOf(command: Command): string {
  let text = ''
  const output = command.configureOutput()
  command.configureOutput({
    writeOut: part => {
      text += part
    },
  })
  command.outputHelp()
  command.configureOutput(output)
  return text
}

function wholeNumber(from: number, to: number = 2 ** 31 - 1): (text: string) => number {
  return text => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= from && value <= to) return value
    throw new InvalidArgumentError(`It must be a whole number from ${from} to ${to}.`)
  }
}
