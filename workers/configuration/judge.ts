/** Whether what somebody has written into a file can be used; if not, the log says why and where. */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { Log } from '../../src/log/log.ts'
import { limits } from '../../src/protocol/limits.ts'
import { type Edit, requireFit } from './decide.ts'
import type { Documents, EditResult } from './document.ts'
import { isEntry, type Kept } from './entry.ts'
import type { ReadFile } from './files.ts'
import type { Reading } from './reading.ts'
import { type Fingerprint, fingerprint } from './record.ts'

export interface JudgeParts {
  readonly documents: () => Promise<Documents>
  readonly reading: Reading
  readonly pathOf: (id: string) => string
  readonly log: Log
}

/** The edit; `undefined`: the file cannot be used. */
export type Judge = (id: string, kept: Kept | undefined, file: ReadFile) => Promise<Edit | undefined>

interface Complaint {
  readonly line: number
  readonly message: string
}

export function createJudge({ documents, reading, pathOf, log }: JudgeParts): Judge {
  /** Files that were complained about, so that it is done once. */
  const told = new Map<string, Fingerprint>()

  async function complaintAbout(
    id: string,
    kept: Kept | undefined,
    result: EditResult,
  ): Promise<Complaint | undefined> {
    if (!result.ok) return result
    const { value, metadata } = result.edit
    try {
      requireFit('value', value, limits.configurationValueBytes)
      requireFit('metadata', metadata, limits.configurationTextBytes)
      await reading.requireValid({ id, schema: isEntry(kept) ? kept.schema : undefined }, value)
      return undefined
    } catch (error) {
      if (!(error instanceof HandlerError)) throw error
      const [, pointer = ''] = /: (\/[^:]*):/.exec(error.message) ?? []
      return { line: result.lineOf(pointer), message: error.message }
    }
  }

  return async (id, kept, file) => {
    const result = (await documents()).read(id, file.text)
    const complaint = await complaintAbout(id, kept, result)
    if (complaint === undefined && result.ok) {
      told.delete(id)
      return result.edit
    }
    const seen = fingerprint(file.text)
    if (complaint === undefined || told.get(id) === seen) return undefined
    told.set(id, seen)
    const fields = { id, file: pathOf(id), line: complaint.line, reason: complaint.message }
    const isStrange = !result.ok && result.isForeign && !isEntry(kept)
    if (isStrange) log.debug('a file in the folder of configurations is none', fields)
    else log.warn('the file of a configuration cannot be used; the value before it stays', fields)
    return undefined
  }
}
