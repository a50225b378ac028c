/** Where the state is kept, by its settings. Apart from the schema, which the thread of the state does without. */
import type { StateConfig } from './config.ts'

/** Where the values are kept. `folder`: absent means the data folder of the engine. */
export function stateKeeping({ adapter: { config } }: StateConfig) {
  return config.store_method === 'in_memory'
    ? ({ adapter: 'memory' } as const)
    : ({ adapter: 'sqlite', folder: config.file_path } as const)
}
