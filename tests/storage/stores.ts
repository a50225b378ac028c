/** Every store there is, for suites that run over all of them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openFolder } from '../../src/storage/folder/open.ts'
import { createMemoryStore } from '../../src/storage/memory/store.ts'
import type { Store } from '../../src/storage/store.ts'

export interface OpenStore extends AsyncDisposable {
  readonly store: Store
}

export function temporaryFolder(): { readonly folder: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'iii-data-'))
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}

export const stores: readonly (readonly [string, () => OpenStore])[] = [
  ['memory', () => ({ store: createMemoryStore(), async [Symbol.asyncDispose]() {} })],
  [
    'sqlite',
    () => {
      const temporary = temporaryFolder()
      const store = openFolder(temporary.folder)
      return {
        store,
        async [Symbol.asyncDispose]() {
          await store.close()
          temporary[Symbol.dispose]()
        },
      }
    },
  ],
]
