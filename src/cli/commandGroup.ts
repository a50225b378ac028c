/** Commands below one word that each ask a built-in worker, such as `iii queue ls`: what they have in common. */
import type { Command } from 'commander'
import { ENGINE_PORT } from '../protocol/address.ts'
import type { CommandParts } from './commandParts.ts'
import type { Terminal } from './terminal.ts'
import type { Dialler } from './trigger/connection.ts'

const exitCodesHelp = '\nExit codes: 0 done, 1 failed, 2 wrong usage, 124 no answer in time, 130 interrupted.'

/** Returns what adds a command, by its name and arguments. */
export function addCommandGroup(
  program: Command,
  { seeHelp, wholeNumber }: CommandParts,
  group: string,
  does: string,
): (words: string, does: string, isHidden?: boolean) => Command {
  const command = program
    .command(group)
    .description(does)
    .showHelpAfterError(seeHelp(`${group} --help`))
  return (words, does, isHidden = false) => {
    const [name] = words.split(' ')
    return command
      .command(words, { hidden: isHidden })
      .allowExcessArguments(false)
      .description(does)
      .option('--json', 'print one JSON document')
      .option('--address <host>', 'host of the engine, or a ws:// address (default: III_URL, else localhost)')
      .option('--port <number>', `port of the engine (default: ${ENGINE_PORT})`, wholeNumber(1, 65_535))
      .addHelpText('after', exitCodesHelp)
      .showHelpAfterError(seeHelp(`${group} ${name} --help`))
  }
}

/** What such a command works with. */
export interface ActionParts {
  readonly terminal: Terminal
  readonly dialler: Dialler
  /** The clock on the wall, milliseconds. */
  readonly wallClock: () => number
}

/** Returns what runs a command of a group: what it needs is loaded when it is run. `start` returns the exit code. */
export function actionOf<Commands>(
  { terminal, end, createDialler }: CommandParts,
  load: () => Promise<Commands>,
): (start: (commands: Commands, parts: ActionParts) => Promise<number>) => Promise<void> {
  return async start => {
    const [commands, dialler] = await Promise.all([load(), createDialler()])
    end(await start(commands, { terminal, dialler, wallClock: Date.now }))
  }
}
