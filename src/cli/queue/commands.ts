/** The commands below `iii queue`. */
import type { Command } from 'commander'
import { ENGINE_PORT } from '../../protocol/address.ts'
import { limits } from '../../protocol/limits.ts'
import type { CommandParts } from '../commandParts.ts'
import type * as run from './run.ts'

const exitCodesHelp = '\nExit codes: 0 done, 1 failed, 2 wrong usage, 124 no answer in time, 130 interrupted.'

const STATES = 'ready, delayed, leased, parked, behind, dead'

export function addQueueCommands(program: Command, parts: CommandParts): void {
  const { terminal, end, createDialler, seeHelp, wholeNumber } = parts
  const queue = program
    .command('queue')
    .description('show queues and durable topics, and control them')
    .showHelpAfterError(seeHelp('queue --help'))

  function add(words: string, description: string): Command {
    const [name] = words.split(' ')
    return queue
      .command(words)
      .allowExcessArguments(false)
      .description(description)
      .option('--json', 'print one JSON document')
      .option('--address <host>', 'host of the engine, or a ws:// address (default: III_URL, else localhost)')
      .option('--port <number>', `port of the engine (default: ${ENGINE_PORT})`, wholeNumber(1, 65_535))
      .addHelpText('after', exitCodesHelp)
      .showHelpAfterError(seeHelp(`queue ${name} --help`))
  }

  const act = async (
    start: (commands: typeof run, parts: run.QueueParts) => Promise<number>,
  ): Promise<void> => {
    const [commands, dialler] = await Promise.all([import('./run.ts'), createDialler()])
    end(await start(commands, { terminal, dialler, wallClock: Date.now }))
  }

  add('ls', 'show all queues and durable topics: how full they are, who consumes them')
    .alias('list')
    .action((flags: run.QueueFlags) => act((commands, more) => commands.listQueues(flags, more)))
  add('peek <queue>', 'show messages, each with the reason why it is not handled now')
    .option('--state <state>', `only those that are ${STATES} (default: all that are not dead)`)
    .option('--limit <number>', 'messages to look at (default: 20)', wholeNumber(1, limits.queuePage))
    .option('--cursor <cursor>', 'where the page before has ended')
    .action((name: string, flags: run.PeekFlags) => act((commands, more) => commands.peek(name, flags, more)))
  add('message <id>', 'show all that is known of a message, its data and its failures too').action(
    (id: string, flags: run.QueueFlags) => act((commands, more) => commands.showMessage(id, flags, more)),
  )
  add('dlq <queue>', 'show dead messages, the latest first, with what went wrong')
    .option('--limit <number>', 'messages to show (default: 20)', wholeNumber(1, limits.queuePage))
    .action((name: string, flags: run.DeadFlags) =>
      act((commands, more) => commands.listDead(name, flags, more)),
    )
  add('redrive <queue>', 'try dead messages again: all of them, or those that --limit or --message say')
    .option('--message <id>', 'only this one')
    .option('--limit <number>', 'only so many, those that died first', wholeNumber(1))
    .action((name: string, flags: run.RedriveFlags) =>
      act((commands, more) => commands.redrive(name, flags, more)),
    )
  add('discard <queue> <id>', 'remove a dead message').action(
    (name: string, id: string, flags: run.QueueFlags) =>
      act((commands, more) => commands.discard(name, id, flags, more)),
  )
  add('pause <queue>', 'hand out nothing more, also after a restart; what is under way may end').action(
    (name: string, flags: run.QueueFlags) => act((commands, more) => commands.pause(name, flags, more)),
  )
  add('resume <queue>', 'let a queue go on').action((name: string, flags: run.QueueFlags) =>
    act((commands, more) => commands.resume(name, flags, more)),
  )
  add('purge <queue>', 'remove messages; they are gone for good')
    .option('--state <state>', 'only those that are ready, delayed, behind or dead (default: all)')
    .option('--yes', 'do not ask')
    .action((name: string, flags: run.PurgeFlags) =>
      act((commands, more) => commands.purge(name, flags, more)),
    )
  add('cancel <id>', 'remove a message that is not dead').action((id: string, flags: run.QueueFlags) =>
    act((commands, more) => commands.cancel(id, flags, more)),
  )
}
