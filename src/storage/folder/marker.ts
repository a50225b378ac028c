/** What a data folder says of itself, so that nobody opens it who would not understand it. */
import { StorageError } from '../storageError.ts'
import { type FolderPaths, readIfThere, writeWhole } from './files.ts'

/** Of the folder, not of the database in it: which files there are, and what they mean. */
const FOLDER_FORMAT = 1

interface Marker {
  readonly format: number
  readonly adapter: string
}

/** Writes a marker where there is none. Throws a `StorageError` if the folder is not for this version. */
export function checkMarker(paths: FolderPaths): void {
  const text = readIfThere(paths.marker)
  if (text === undefined) {
    writeWhole(
      paths.marker,
      `${JSON.stringify({ format: FOLDER_FORMAT, adapter: 'sqlite' } satisfies Marker)}\n`,
    )
    return
  }
  const marker = markerOf(text)
  if (marker === undefined) {
    throw new StorageError(
      'data_folder_corrupt',
      `${paths.marker} is not what an engine has written. If the folder holds your data, restore a backup; else name another folder.`,
    )
  }
  if (marker.format > FOLDER_FORMAT) throw newer(paths.folder, marker.format, FOLDER_FORMAT)
  if (marker.adapter !== 'sqlite') {
    throw new StorageError(
      'data_folder_unusable',
      `The data folder ${paths.folder} was written by the adapter \`${marker.adapter}\`, not by \`sqlite\`. Configure that adapter, or name another folder.`,
    )
  }
}

export function newer(folder: string, found: number, known: number): StorageError {
  return new StorageError(
    'data_folder_newer',
    `The data folder ${folder} has format ${found}; this version knows formats up to ${known}. Start the newer version that has written it, or name another folder.`,
  )
}

function markerOf(text: string): Marker | undefined {
  try {
    const { format, adapter } = JSON.parse(text) as Partial<Marker>
    if (typeof format === 'number' && typeof adapter === 'string') return { format, adapter }
  } catch {
    // It is no JSON.
  }
  return undefined
}
