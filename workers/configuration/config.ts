/** Settings of the configuration worker: the `config:` block of `configuration`. */
import { z } from 'zod'

const MOST_SECONDS = 2_147_483

const adapter = z.strictObject({
  name: z
    .string()
    .refine(name => name === 'fs', {
      error: issue =>
        issue.input === 'bridge' ? 'bridge comes with a later version; use fs' : 'the only adapter is fs',
    })
    .default('fs'),
  config: z
    .strictObject({
      /** Relative to the folder of the configuration file. */
      directory: z.string().min(1).default('./config'),
    })
    .prefault({}),
})

export const configurationConfigSchema = z.strictObject({
  adapter: adapter.prefault({}),
  /** Seconds after its last use; 0: never. */
  ttl_seconds: z.int().min(0).max(MOST_SECONDS).default(0),
  /** Values kept of each entry, the one in force included. */
  history: z.int().min(1).max(1000).default(20),
  /** Names of workers that see secrets. */
  reveal_to: z.array(z.string().min(1)).default([]),
})

export type ConfigurationConfig = z.output<typeof configurationConfigSchema>
