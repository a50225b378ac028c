import type { Collection } from './command.ts'

/** One text for a collection, whatever characters its names have. */
export function collectionId({ space, name, group }: Collection): string {
  return `${space}:${name.length}:${name}${group}`
}
