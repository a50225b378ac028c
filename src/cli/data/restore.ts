/** `iii restore`: makes a data folder of a backup, and `iii doctor --data`: looks at all of one. No engine may work with it. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { KnownWorkers } from '../../config/settings.ts'
import { type FolderReport, restoreFolder, verifyFolder } from '../../storage/mod.ts'
import { CommandError } from '../commandError.ts'
import { exitCodes } from '../exitCodes.ts'
import type { Terminal } from '../terminal.ts'
import { storageFailure } from './failure.ts'
import { dataFolder } from './folder.ts'

export interface RestoreFlags {
  readonly data?: string
  readonly force?: boolean
  readonly json?: boolean
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
      throw storageFailure(error, 'check the folder; --force replaces what is in it')
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
    throw storageFailure(error, 'check the name of the folder')
  })
  const { problems } = report
  const text = [
    ...problems.map(problem => `problem: ${problem}\n`),
    problems.length === 0 ? `${told(report)}: all of it is as it was written\n` : '',
  ]
  await terminal.out(flags.json ? `${JSON.stringify(report)}\n` : text.join(''))
  return problems.length === 0 ? exitCodes.success : exitCodes.failure
}

const told = ({ folder, entries, revision }: FolderReport): string =>
  `${folder}: ${entries ?? 'unknown'} entries, revision ${revision ?? 'unknown'}`
