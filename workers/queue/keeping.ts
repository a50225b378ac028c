/** Where messages are kept, by its settings. Apart from the schema, which the durable thread does without. */
import type { QueueConfig } from './config.ts'

/** `folder`: absent means the data folder of the engine. */
export function queueKeeping({ adapter: { name, config } }: QueueConfig) {
  return isVolatile({ adapter: { name, config } })
    ? ({ adapter: 'memory' } as const)
    : ({ adapter: 'sqlite', folder: config.file_path } as const)
}

/** Everything is forgotten when the engine ends. */
export const isVolatile = ({ adapter: { name, config } }: Pick<QueueConfig, 'adapter'>): boolean =>
  name === 'memory' || config.store_method === 'in_memory'
