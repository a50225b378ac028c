/** The commands below `iii queue`. */
import { type Command, Option } from 'commander'
import { limits } from '../../protocol/limits.ts'
import { usageError } from '../commandError.ts'
import { actionOf, addCommandGroup } from '../commandGroup.ts'
import type { CommandParts } from '../commandParts.ts'
import type * as run from './run.ts'

const STATES = ['ready', 'delayed', 'leased', 'parked', 'behind', 'dead']
const PURGED = ['ready', 'delayed', 'behind', 'dead']

/** Functions that are looked for among the commands, and how they are called. */
const CALLED = {
  push: ['trigger queue::push queue=NAME data=VALUE', 'trigger FUNCTION key=value … --enqueue NAME'],
  pop: ['trigger queue::pop queue=NAME'],
} as const

export function addQueueCommands(program: Command, parts: CommandParts): void {
  const { wholeNumber } = parts
  const add = addCommandGroup(program, parts, 'queue', 'show queues and durable topics, and control them')

  const act = actionOf(parts, () => import('./run.ts'))

  add('ls', 'show queues and durable topics: how full they are, who consumes them')
    .alias('list')
    .option(
      '--limit <number>',
      `rows to show (default: ${limits.queuePage})`,
      wholeNumber(1, limits.queuePage),
    )
    .option('--cursor <cursor>', 'where the page before has ended')
    .action((flags: run.ListFlags) => act((commands, more) => commands.listQueues(flags, more)))
  add('peek <queue>', 'show messages, each with the reason why it is not handled now')
    .addOption(new Option('--state <state>', 'only those (default: all that are not dead)').choices(STATES))
    .option('--limit <number>', 'messages to look at (default: 20)', wholeNumber(1, limits.queuePage))
    .option('--cursor <cursor>', 'where the page before has ended')
    .action((name: string, flags: run.PeekFlags) => act((commands, more) => commands.peek(name, flags, more)))
  // There is no command for what workers do: who looks for one is told how to call it.
  for (const [name, words] of Object.entries(CALLED))
    add(`${name} [words...]`, 'is no command', true)
      .allowUnknownOption()
      .action(() => {
        const { iii } = parts.terminal.command
        throw usageError(`'queue ${name}' is not a command`, words.map(each => iii(each)).join(', or '))
      })
  add('message <id>', 'show all that is known of a message, its data and its failures too').action(
    (id: string, flags: run.QueueFlags) => act((commands, more) => commands.showMessage(id, flags, more)),
  )
  add('dlq <queue>', 'show dead messages, the latest first, with what went wrong')
    .option('--limit <number>', 'messages to show (default: 20)', wholeNumber(1, limits.queuePage))
    .action((name: string, flags: run.DeadFlags) =>
      act((commands, more) => commands.listDead(name, flags, more)),
    )
  add('redrive <queue>', 'try dead messages again: all of them, or those that options say')
    .option('--message <id>', 'only this one')
    .option('--limit <number>', 'only so many, those that died first', wholeNumber(1))
    .option(
      '--rate <number>',
      'so many in a second (default: as fast as it goes)',
      wholeNumber(1, limits.queueRate),
    )
    .option('--filter <text>', 'only those whose last error has this in it')
    .option('--since <time>', 'only those that died since then: 30m, 2h, or 2026-05-01T10:00:00Z')
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
    .addOption(new Option('--state <state>', 'only those (default: all)').choices(PURGED))
    .option('--yes', 'do not ask')
    .action((name: string, flags: run.PurgeFlags) =>
      act((commands, more) => commands.purge(name, flags, more)),
    )
  add('cancel <id>', 'remove a message that is not dead').action((id: string, flags: run.QueueFlags) =>
    act((commands, more) => commands.cancel(id, flags, more)),
  )
}
