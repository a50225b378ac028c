/**
 * `iii backup`: a consistent copy of a data folder as one file. A running engine makes it in its own folder, and the command takes it
 * from there: so nobody else can have an engine write where he likes. With `--data` no engine is asked.
 *
 * What is taken has the name that the command has thought of, which nobody had before: whoever answers, no other file is touched.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { basename, dirname, isAbsolute, resolve } from 'node:path'
import { systemClock } from '../../clock/clock.ts'
import { silentLog } from '../../log/log.ts'
import { redactText } from '../../log/redact.ts'
import { fromJsonText, toJsonText } from '../../protocol/jsonText.ts'
import { limits } from '../../protocol/limits.ts'
import { openPartition } from '../../storage/mod.ts'
import { CommandError, messageOf } from '../commandError.ts'
import { exitCodes } from '../exitCodes.ts'
import type { Terminal } from '../terminal.ts'
import { type AddressFlags, engineAddress } from '../trigger/address.ts'
import { ask, type Dialler, type Outcome, withClient } from '../trigger/connection.ts'
import { unreachable } from '../trigger/help.ts'
import { type Fixes, storageFailure } from './failure.ts'

export interface BackupFlags extends AddressFlags {
  readonly data?: string
  readonly force?: boolean
  readonly json?: boolean
}

const BACKUP = 'engine::storage::backup'
const WORKER_NAME = 'iii-cli:backup'

interface Made {
  readonly file: string
  readonly folder: string
  readonly bytes: number
}

/** Returns the exit code. `dialler`: made only if an engine is asked. */
export async function runBackup(
  word: string,
  flags: BackupFlags,
  terminal: Terminal,
  dialler: () => Promise<Dialler>,
): Promise<number> {
  const target = resolve(terminal.cwd, word)
  if (existsSync(target) && flags.force !== true) {
    throw new CommandError(`${target} is there already`, {
      code: 'wrong_usage',
      exitCode: exitCodes.usage,
      fix: 'name another file, or replace it with --force',
    })
  }
  const made =
    flags.data === undefined
      ? await fromEngine(target, flags, terminal, await dialler())
      : await fromFolder(target, resolve(terminal.cwd, flags.data))
  if (typeof made === 'number') return made
  const { folder, bytes } = made
  await terminal.out(
    flags.json
      ? `${JSON.stringify({ file: target, folder, bytes })}\n`
      : `${target}: ${bytes} bytes, from ${folder}\n`,
  )
  return exitCodes.success
}

async function fromFolder(target: string, folder: string): Promise<Made> {
  try {
    if (!existsSync(folder)) throw new Error(`there is no folder ${folder}`)
    const partition = openPartition(folder, { clock: systemClock, log: silentLog })
    const draft = `${target}.new`
    try {
      rmSync(draft, { force: true })
      await partition.backup(draft)
    } finally {
      await partition.close()
    }
    renameSync(draft, target)
    return { file: target, folder, bytes: statSync(target).size }
  } catch (error) {
    throw storageFailure(error, FIXES)
  }
}

const FIXES: Fixes = {
  data_folder_unusable: 'check the folder and the file; of a running engine it is made without --data',
  data_folder_in_use: 'leave out --data: a running engine makes the backup itself',
}

async function fromEngine(
  target: string,
  flags: BackupFlags,
  terminal: Terminal,
  dialler: Dialler,
): Promise<Made | number> {
  const address = engineAddress(flags, terminal.env.III_URL)
  const name = `iii-backup-${crypto.randomUUID()}.db`
  const outcome = await withClient(
    address,
    terminal,
    dialler,
    async client => {
      const { error, result } = await ask(client, BACKUP, toJsonText({ name }), undefined, limits.backupMs)
      return error === undefined ? { kind: 'answered', result } : { kind: 'failed', error, afterMs: 0 }
    },
    WORKER_NAME,
  )
  if (outcome.kind === 'interrupted') return outcome.exitCode
  const made = answered(outcome, address, terminal)
  take(made, name, target)
  return made
}

function answered(
  outcome: Exclude<Outcome, { kind: 'interrupted' }>,
  address: string,
  terminal: Terminal,
): Made {
  switch (outcome.kind) {
    case 'answered':
      return fromJsonText(outcome.result!) as Made
    case 'unreachable':
      throw new CommandError(unreachable(address, outcome.why, terminal.command), {
        code: 'ENGINE_UNREACHABLE',
        fix: 'start the engine, or name the folder with --data if none works with it',
      })
    case 'failed': {
      const { code, message } = outcome.error
      const isMissing = code === 'function_not_found'
      const call = terminal.command.iii(`trigger ${BACKUP} folder=FOLDER`)
      // No folder was named, and there are several.
      const fix = code === 'INVALID_ARGUMENTS' ? `ask for each of them: ${call}` : 'see the log of the engine'
      throw new CommandError(`the engine at ${redactText(address)} has made no backup`, {
        code: 'input_unreadable',
        causes: [isMissing ? 'it keeps nothing on disk' : messageOf(new Error(`${code}: ${message}`))],
        fix: isMissing ? 'back up an engine that has a worker like iii-state' : fix,
      })
    }
  }
}

/** From the folder of the engine to where it is wanted. */
function take({ file, bytes }: Made, name: string, target: string): void {
  const found =
    isAbsolute(file) && basename(file) === name ? lstatSync(file, { throwIfNoEntry: false }) : undefined
  if (found?.isFile() !== true || found.size !== bytes) {
    throw new CommandError(`the backup is made, but cannot be taken from here`, {
      code: 'input_unreadable',
      causes: [`it is ${file} on the host of the engine`],
      fix: 'copy it from there, and delete it there',
    })
  }
  try {
    mkdirSync(dirname(target), { recursive: true })
    const draft = `${target}.new`
    copyFileSync(file, draft)
    chmodSync(draft, 0o600)
    renameSync(draft, target)
    rmSync(file)
  } catch (error) {
    throw new CommandError(`the backup is made, but cannot be taken to ${target}`, {
      code: 'input_unreadable',
      causes: [messageOf(error), `it is ${file}`],
      fix: 'check that you may write there and that there is room, or copy it yourself',
    })
  }
}
