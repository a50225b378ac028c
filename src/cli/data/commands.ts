/** The commands about data folders: `backup`, `restore`, `doctor`. */
import type { Command } from 'commander'
import { ENGINE_PORT } from '../../protocol/address.ts'
import { CommandError } from '../commandError.ts'
import type { CommandParts } from '../commandParts.ts'
import type { BackupFlags } from './backup.ts'
import type { RestoreFlags } from './restore.ts'

const exitCodesHelp = '\nExit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.'

export function addDataCommands(program: Command, parts: CommandParts): void {
  const { terminal, end, createDialler, seeHelp, wholeNumber } = parts
  const loadKnownWorkers = async () => (await import('../../threads/placement.ts')).knownWorkers

  program
    .command('backup <file>')
    .allowExcessArguments(false)
    .description('make a consistent copy of what an engine keeps, while it runs')
    .option('--data <folder>', 'of this folder, with which no engine works, instead of asking one')
    .option('--force', 'replace the file if it is there')
    .option('--json', 'print one JSON document')
    .option('--address <host>', 'host of the engine, or a ws:// address (default: III_URL, else localhost)')
    .option('--port <number>', `port of the engine (default: ${ENGINE_PORT})`, wholeNumber(1, 65_535))
    .addHelpText('after', exitCodesHelp)
    .showHelpAfterError(seeHelp('backup --help'))
    .action(async (file: string, flags: BackupFlags) => {
      const { runBackup } = await import('./backup.ts')
      end(await runBackup(file, flags, terminal, createDialler))
    })

  program
    .command('restore <file>')
    .allowExcessArguments(false)
    .description('make a data folder of a backup; no engine may work with it')
    .option('--data <folder>', 'the folder (default: that of the engine that would start here)')
    .option('--force', 'replace what is in the folder')
    .option('--json', 'print one JSON document')
    .addHelpText('after', exitCodesHelp)
    .showHelpAfterError(seeHelp('restore --help'))
    .action(async (file: string, flags: RestoreFlags) => {
      const [{ runRestore }, knownWorkers] = await Promise.all([import('./restore.ts'), loadKnownWorkers()])
      end(await runRestore(file, flags, terminal, knownWorkers))
    })

  program
    .command('doctor')
    .allowExcessArguments(false)
    .description('look at all of a data folder; no engine may work with it')
    .option('--data [folder]', 'the folder (default: that of the engine that would start here)')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExit codes: 0 all is well, 1 it is not, 2 wrong usage.')
    .showHelpAfterError(seeHelp('doctor --help'))
    .action(async (flags: { data?: string | boolean; json?: boolean }) => {
      if (flags.data === undefined) {
        throw new CommandError('only data folders are looked at in this version', {
          code: 'not_in_this_version',
          fix: terminal.command.iii('doctor --data'),
        })
      }
      const [{ runDoctor }, knownWorkers] = await Promise.all([import('./restore.ts'), loadKnownWorkers()])
      end(await runDoctor(flags.data, flags, terminal, knownWorkers))
    })
}
