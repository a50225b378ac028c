/** Settings of the pubsub worker: the `config:` block of `iii-pubsub`. */
import { z } from 'zod'
import { limits } from '../../src/protocol/limits.ts'

export const pubsubConfigSchema = z.strictObject({
  adapter: z
    .strictObject({
      /** `redis` is a name of the file format. */
      name: z
        .enum(['local'], {
          error: 'the adapter must be local; redis is not supported yet',
        })
        .default('local'),
      config: z.strictObject({}).prefault({}),
    })
    .prefault({}),
  /** Characters between the parts of a topic. */
  separators: z
    .string()
    .regex(/^[.:/]+$/, { error: 'may consist of . : and / only' })
    .default('.:/'),
  /** Events that cause each other: a message that is published deeper in such a chain goes to nobody. */
  depth_limit: z.int().min(1).max(10_000).default(limits.deliveryDepth),
})

/** Parsed and with every default filled in. */
export type PubsubConfig = z.output<typeof pubsubConfigSchema>
