/** Where what schedules have done is kept, by its settings. Apart from the schema, which the durable thread does without. */
import type { CronConfig } from './config.ts'

/** `folder`: absent means the data folder of the engine. */
export function cronKeeping({ adapter: { config } }: CronConfig) {
  return config.store_method === 'in_memory'
    ? ({ adapter: 'memory' } as const)
    : ({ adapter: 'sqlite', folder: config.file_path } as const)
}
