/** The commands below `iii cron`. */
import type { Command } from 'commander'
import { limits } from '../../protocol/limits.ts'
import { actionOf, addCommandGroup } from '../commandGroup.ts'
import type { CommandParts } from '../commandParts.ts'
import type * as run from './run.ts'

export function addCronCommands(program: Command, parts: CommandParts): void {
  const { wholeNumber } = parts
  const add = addCommandGroup(program, parts, 'cron', 'show schedules, and run, pause or resume one')

  const act = actionOf(parts, () => import('./run.ts'))

  add('ls', 'show all schedules')
    .alias('list')
    .option('--limit <number>', 'schedules to show (default: 100)', wholeNumber(1, limits.subscriptionRows))
    .action((flags: run.CronFlags) => act((commands, more) => commands.listSchedules(flags, more)))
  add('next [name]', 'show when a schedule, or an expression, fires next')
    .option('--expression <expression>', 'an expression instead of a schedule')
    .option('--timezone <name>', 'time zone of the expression (default: UTC)')
    .option('--count <number>', 'instants to show (default: 5)', wholeNumber(1, limits.subscriptionRows))
    .action((name: string | undefined, flags: run.CronNextFlags) =>
      act((commands, more) => commands.showNext(name, flags, more)),
    )
  add('history <name>', 'show the latest runs of a schedule, and the ticks it left out').action(
    (name: string, flags: run.CronFlags) => act((commands, more) => commands.showHistory(name, flags, more)),
  )
  add('run <name>', 'run a schedule now, and print what its function answers')
    .option('--timeout-ms <ms>', `time for the answer (default: ${limits.cronTimeoutMs})`, wholeNumber(1))
    .action((name: string, flags: run.CronFlags) =>
      act((commands, more) => commands.runNow(name, flags, more)),
    )
  add('pause <name>', 'stop a schedule; its ticks are left out, also after a restart').action(
    (name: string, flags: run.CronFlags) => act((commands, more) => commands.pause(name, flags, more)),
  )
  add('resume <name>', 'let a schedule go on').action((name: string, flags: run.CronFlags) =>
    act((commands, more) => commands.resume(name, flags, more)),
  )
}
