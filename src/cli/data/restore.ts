/** `iii restore`: makes a data folder of a backup, and `iii doctor --data`: looks at all of one. No engine may work with it. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { KnownWorkers } from '../../config/settings.ts'
import { type FolderReport, restoreFolder, verifyFolder } from '../../storage/mod.ts'
import { CommandError } from '../commandError.ts'
import { exitCodes } from '../exitCodes.ts'
import type { Terminal } from '../terminal.ts'
import { type Fixes, storageFailure } from './failure.ts'
import { dataFolder } from './folder.ts'

export interface RestoreFlags {
  readonly data?: string
  readonly force?: boolean
  readonly json?: boolean
}

const RESTORE_FIXES: Fixes = {
  data_folder_unusable: 'name another folder with --data, or replace what is in this one with --force',
  data_folder_corrupt: 'restore another backup, or name another folder with --data',
  data_folder_in_use: 'stop that process, or name another folder with --data',
}
const DOCTOR_FIXES: Fixes = {
  data_folder_unusable: 'name a folder that an engine has written: --data FOLDER',
  data_folder_in_use: 'stop that process; of a running engine, look at a backup that is restored elsewhere',
}

/** Returns the exit code. */
export async function runRestore(
  word: string,
  flags: RestoreFlags,
  terminal: Terminal,
  knownWorkers: KnownWorkers,
): Promise<number> {
  const backup = resolve(terminal.cwd, word)
  if (!existsSync(backup)) {
    throw new CommandError(`there is no file ${backup}`, {
      code: 'input_unreadable',
      fix: 'name a backup that iii backup has made',
    })
  }
  const folder = await dataFolder(flags.data, terminal, knownWorkers)
  const report = await restoreFolder(backup, folder, { replaces: flags.force === true }).catch(
    (error: unknown) => {
      throw storageFailure(error, RESTORE_FIXES)
    },
  )
  await terminal.out(flags.json ? `${JSON.stringify(report)}\n` : `${told(report)}, from ${backup}\n`)
  return exitCodes.success
}

/** Returns the exit code: 1 when something is wrong with the folder. */
export async function runDoctor(
  named: string | boolean | undefined,
  flags: { readonly json?: boolean },
  terminal: Terminal,
  knownWorkers: KnownWorkers,
): Promise<number> {
  const folder = await dataFolder(typeof named === 'string' ? named : undefined, terminal, knownWorkers)
  const report = await verifyFolder(folder).catch((error: unknown) => {
    throw storageFailure(error, DOCTOR_FIXES)
  })
  const { problems } = report
  const text = [
    ...problems.map(problem => `problem: ${problem}\n`),
    problems.length === 0 ? `${told(report)}: all of it is as it was written\n` : '',
  ]
  await terminal.out(flags.json ? `${JSON.stringify(report)}\n` : text.join(''))
  return problems.length === 0 ? exitCodes.success : exitCodes.failure
}

const told = ({ folder, entries, messages, revision }: FolderReport): string =>
  `${folder}: ${entries ?? 'unknown'} entries, ${messages ?? 'unknown'} messages, revision ${revision ?? 'unknown'}`
