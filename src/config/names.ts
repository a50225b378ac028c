/** Which built-in workers a configuration may name, under which spellings, and which of them start unasked. */
import type { KnownWorkers } from './settings.ts'

/**
 * `always`: with or without a file, listed or not. `unlisted`: when there is no file, else only if listed.
 * `listed`: only if the file lists it.
 */
export type Start = 'always' | 'unlisted' | 'listed'

interface BuiltIn {
  readonly aliases: readonly string[]
  readonly start: Start
}

export const LISTENER = 'iii-worker-manager'
export const DISCOVERY = 'iii-engine-functions'
export const TELEMETRY = 'iii-telemetry'

/** Every built-in of the file format, whether this version has it or not. */
const builtIns: Readonly<Record<string, BuiltIn>> = {
  [LISTENER]: { aliases: [], start: 'always' },
  [DISCOVERY]: { aliases: [], start: 'always' },
  [TELEMETRY]: { aliases: [], start: 'always' },
  configuration: { aliases: ['iii-configuration'], start: 'always' },
  'iii-observability': { aliases: ['observability'], start: 'always' },
  'iii-http': { aliases: ['http'], start: 'unlisted' },
  'iii-cron': { aliases: ['cron'], start: 'unlisted' },
  'iii-state': { aliases: ['state'], start: 'unlisted' },
  'iii-stream': { aliases: ['stream'], start: 'unlisted' },
  'iii-pubsub': { aliases: ['pubsub'], start: 'unlisted' },
  'iii-queue': { aliases: ['queue'], start: 'unlisted' },
  'iii-http-functions': { aliases: ['http-functions'], start: 'unlisted' },
  'iii-exec': { aliases: ['exec'], start: 'listed' },
  'iii-bridge': { aliases: ['bridge'], start: 'listed' },
  'iii-sandbox': { aliases: ['sandbox'], start: 'listed' },
}

export interface BuiltInNames {
  /** The canonical name of a built-in by any of its spellings; `undefined`: not a built-in. */
  canonical(name: string): string | undefined
  /** Names of the known workers that start without being listed. */
  startsUnlisted(withFile: boolean): string[]
  /** Every spelling there is, for suggestions. */
  spellings(): string[]
}

export function createBuiltInNames(knownWorkers: KnownWorkers): BuiltInNames {
  const canonicalBySpelling = new Map<string, string>()
  for (const name of knownWorkers.keys()) canonicalBySpelling.set(name, name)
  for (const [name, { aliases }] of Object.entries(builtIns)) {
    for (const spelling of [name, ...aliases]) canonicalBySpelling.set(spelling, name)
  }

  return {
    canonical: name => canonicalBySpelling.get(name),
    startsUnlisted: withFile =>
      [...knownWorkers.keys()].filter(name => {
        const start = builtIns[name]?.start
        return name !== LISTENER && (start === 'always' || (start === 'unlisted' && !withFile))
      }),
    spellings: () => [...canonicalBySpelling.keys()],
  }
}
