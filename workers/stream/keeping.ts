/** Where items are kept, by the settings. Apart from their schema, which not every thread needs. */
import type { StreamConfig } from './config.ts'

/** `folder` absent: the data folder of the engine. */
export function streamKeeping({ adapter: { config } }: StreamConfig) {
  return config.store_method === 'in_memory'
    ? ({ adapter: 'memory' } as const)
    : ({ adapter: 'sqlite', folder: config.file_path } as const)
}
