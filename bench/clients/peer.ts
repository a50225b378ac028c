/** A package of `bench/peers`, which is installed when it is wanted and is no dependency of the project. */
import { createRequire } from 'node:module'
import { join } from 'node:path'

export async function peer<Package>(name: string): Promise<Package> {
  const require = createRequire(join(import.meta.dir, '..', 'peers', 'package.json'))
  return (await import(require.resolve(name))) as Package
}
