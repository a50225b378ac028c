/** From the listed entries to the workers that start: names, instance ids, each worker's own settings. */
import type { z } from 'zod'
import { nearestName } from '../log/nearest.ts'
import { type ListenerSettings, listenerSchema } from '../server/config.ts'
import { type BlockSource, parseBlock } from './block.ts'
import type { Finding, Path } from './issues.ts'
import { createBuiltInNames, DISCOVERY, LISTENER, TELEMETRY } from './names.ts'
import type { KnownWorkers, WorkerSettings } from './settings.ts'

/** One item of `workers:`; `path` leads to it. */
export interface Entry {
  readonly name: string
  readonly config: object
  readonly path: Path
}

export interface PlacingSource extends BlockSource {
  /** Notes what is no problem by itself and worth a line beside others. */
  suspicion(finding: Finding): void
  /** Line of the file on which the value at `path` stands. */
  line(path: Path): number
  /** The variable, if any, that the value at `path` came from. */
  variableAt(path: Path): string | undefined
}

export interface Placement {
  readonly listeners: readonly ListenerSettings[]
  readonly workers: readonly WorkerSettings[]
  readonly warnings: readonly string[]
}

/** What runs when no file says anything. */
export function placeDefaults(knownWorkers: KnownWorkers): Placement {
  const names = createBuiltInNames(knownWorkers).startsUnlisted(false)
  return { listeners: [listenerSchema.parse({})], workers: names.map(unlisted(knownWorkers)), warnings: [] }
}

/** What runs with the entries of a file. Problems go to `source`; with any, the placement is of no use. */
export function placeEntries(
  entries: readonly Entry[],
  knownWorkers: KnownWorkers,
  source: PlacingSource,
): Placement {
  const builtIns = createBuiltInNames(knownWorkers)
  const listeners: ListenerSettings[] = []
  const workers: WorkerSettings[] = []
  const warnings: string[] = []
  const firstSpelling = new Map<string, string>()

  for (const entry of entries) {
    const name = builtIns.canonical(entry.name)
    if (name === undefined) placeExternal(entry, builtIns.spellings())
    else if (!isRepetition(name, entry)) placeBuiltIn(name, entry)
  }

  function isRepetition(name: string, entry: Entry): boolean {
    const first = firstSpelling.get(name)
    firstSpelling.set(name, first ?? entry.name)
    const multiple = name === LISTENER || knownWorkers.get(name)?.multiple !== false
    if (first === undefined || (first === entry.name && multiple)) return false
    const why =
      first === entry.name
        ? `'${first}' can run only once`
        : `'${first}' and '${entry.name}' are the same worker`
    source.problem(
      refusal([...entry.path, 'name'], `Duplicate worker configurations: ${why}`, 'Keep one of them.'),
    )
    return true
  }

  function placeBuiltIn(name: string, entry: Entry): void {
    const known = knownWorkers.get(name)
    if (name === LISTENER) placeListener(entry)
    else if (known !== undefined) placeWorker(name, entry, known.schema)
    else if (name === TELEMETRY)
      warnings.push(`${name} is accepted and ignored: this engine reports to nobody`)
    else if (name !== DISCOVERY) {
      warnings.push(`${place(entry)} is not part of this version yet and is not started`)
    }
  }

  function placeListener(entry: Entry): void {
    const settings = parseBlock(entry.config, listenerSchema, [...entry.path, 'config'], source)
    if (settings === undefined) return
    const { host, port } = settings
    if (port !== 0 && listeners.some(other => other.port === port && other.host === host)) {
      const message = `another ${LISTENER} has the same host and port`
      source.problem(refusal(entry.path, message, 'Give each its own port.'))
    }
    listeners.push(settings)
  }

  function placeWorker(name: string, entry: Entry, schema: z.ZodType): void {
    const config = parseBlock(entry.config, schema, [...entry.path, 'config'], source)
    const before = workers.filter(worker => worker.name === name).length
    workers.push({ name, instance: before === 0 ? name : `${name}#${before}`, config })
  }

  function place(entry: Entry): string {
    const variable = source.variableAt([...entry.path, 'name'])
    return `${variable === undefined ? entry.name : `\${${variable}}`} (line ${source.line(entry.path)})`
  }

  function placeExternal(entry: Entry, spellings: readonly string[]): void {
    const nearest = nearestName(entry.name, spellings)
    const hint = nearest === undefined ? '' : `; did you mean '${nearest}'?`
    const reason = 'is not a built-in worker; starting other workers is not part of this version yet'
    warnings.push(`${place(entry)} ${reason} and it is not started${hint}`)
    if (nearest === undefined) return
    source.suspicion(refusal([...entry.path, 'name'], 'not a built-in worker', `Did you mean '${nearest}'?`))
  }

  const always = builtIns.startsUnlisted(true).filter(name => !firstSpelling.has(name))
  workers.push(...always.map(unlisted(knownWorkers)))
  if (listeners.length === 0) listeners.push(listenerSchema.parse({}))
  return { listeners, workers, warnings }
}

function unlisted(knownWorkers: KnownWorkers): (name: string) => WorkerSettings {
  return name => ({ name, instance: name, config: knownWorkers.get(name)!.schema.parse({}) })
}

function refusal(path: Path, message: string, suggestion: string): Finding {
  return { path, aboutKey: false, message, suggestion }
}
