/**
 * Which folder may import which. Arrows point downwards only:
 *
 *     main → cli → threads → config → server → engine → protocol
 *                     │                                    ↑
 *                     └─→ workers ─→ delivery ─→ sdk ──────┘        clock, log, net: at the bottom
 *                            └────→ storage ───────────────┘
 *
 * A worker knows the SDK's client, what goes over a wire and its own store, never the engine: that is what lets it run
 * in a process of its own.
 */
import type { Import, SourceFile } from './imports.ts'

/** An area is a folder directly below `src`, or another folder of the project; `main` is `src/main.ts`. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  clock: [],
  log: [],
  net: [],
  protocol: [],
  engine: ['protocol', 'clock', 'log'],
  storage: ['protocol', 'clock', 'log'],
  // How events reach functions: for every built-in that fires triggers.
  delivery: ['sdk', 'protocol', 'clock', 'log'],
  server: ['engine', 'protocol', 'net', 'clock', 'log'],
  // The settings of a listener are described where they are used.
  config: ['server', 'protocol', 'log'],
  sdk: ['protocol', 'clock'],
  workers: ['delivery', 'storage', 'sdk', 'protocol', 'net', 'clock', 'log'],
  threads: ['server', 'engine', 'storage', 'config', 'workers', 'sdk', 'protocol', 'net', 'clock', 'log'],
  cli: ['threads', 'storage', 'config', 'sdk', 'protocol', 'net', 'clock', 'log'],
  main: ['cli', 'log'],
  examples: ['sdk'],
}

/** These look at everything; only `main` is closed to them too, because loading it runs the program. */
const openAreas: ReadonlySet<string> = new Set(['tests', 'bench', 'scripts'])

/** Deciding code asks for time, chance, files and sockets; it does not fetch them. */
const pureAreas: ReadonlySet<string> = new Set(['protocol', 'engine', 'clock', 'log'])

export const MOST_LINES = 400

/** `src/engine/router.ts` → `engine`; `workers/http/routes.ts` → `workers`. */
function areaOf(path: string): string {
  const parts = path.split('/')
  if (parts[0] !== 'src') return parts[0]!
  return parts.length === 2 ? parts[1]!.replace(/\.ts$/, '') : parts[1]!
}

/** `workers/http/routes.ts` → `workers/http`; `undefined` for what all workers share. */
const workerFolder = (path: string): string | undefined => /^workers\/[^/]+(?=\/)/.exec(path)?.[0]

const isPlatformModule = (specifier: string): boolean => /^(node:|bun$|bun:)/.test(specifier)

/** What is wrong with one import, as a sentence; `undefined` when nothing is. */
export function complaintAbout({ from, to, specifier }: Import): string | undefined {
  const area = areaOf(from)
  if (to === undefined) {
    if (!pureAreas.has(area) || !isPlatformModule(specifier)) return undefined
    return `${from} imports ${specifier}: ${area} is pure, pass in what it needs from the platform`
  }
  // Everyone may know the project's own version.
  if (to === 'package.json') return undefined
  const target = areaOf(to)
  if (target === 'main')
    return `${from} imports ${to}: nothing imports the entry, loading it runs the program`
  if (openAreas.has(area)) return undefined
  const mayImport = allowed[area]
  if (mayImport === undefined)
    return `${from} is in a folder without rules; add "${area}" to tests/house/arrows.ts`
  if (target !== area) {
    return mayImport.includes(target) ? undefined : `${from} imports ${to}: ${area} may not know ${target}`
  }
  const [own, other] = [workerFolder(from), workerFolder(to)]
  if (area !== 'workers' || other === undefined || own === other) return undefined
  return `${from} imports ${to}: a worker does not know another worker`
}

/** Where an arrow starts and ends. */
type Arrow = Pick<Import, 'from' | 'to'>

/**
 * Chains of files that import each other; each chain begins and ends with the same file. Two files may need each
 * other's types; needing each other's values makes the order of loading matter.
 */
export const fileCycles = (imports: readonly Import[]): string[][] =>
  cycles(imports.filter(({ typeOnly }) => !typeOnly))

/** The same between areas, types included; an import inside of one area is no arrow. */
export const areaCycles = (imports: readonly Import[]): string[][] =>
  cycles(
    imports.flatMap(({ from, to }) =>
      to === undefined || areaOf(from) === areaOf(to) ? [] : [{ from: areaOf(from), to: areaOf(to) }],
    ),
  )

function cycles(imports: readonly Arrow[]): string[][] {
  const next = new Map<string, string[]>()
  for (const { from, to } of imports) {
    if (to !== undefined) next.set(from, [...(next.get(from) ?? []), to])
  }
  const found: string[][] = []
  const done = new Set<string>()
  const chain: string[] = []
  function visit(node: string): void {
    const at = chain.indexOf(node)
    if (at !== -1) found.push([...chain.slice(at), node])
    if (at !== -1 || done.has(node)) return
    chain.push(node)
    for (const target of next.get(node) ?? []) visit(target)
    chain.pop()
    done.add(node)
  }
  for (const node of next.keys()) visit(node)
  return found
}

/** Files longer than the rule allows and not excused, and excuses that are no longer needed. */
export function complaintsAboutLength(
  files: readonly SourceFile[],
  excused: Readonly<Record<string, string>>,
): string[] {
  const long = new Set(files.filter(({ lines }) => lines > MOST_LINES).map(({ path }) => path))
  return [
    ...files
      .filter(({ path }) => long.has(path) && excused[path] === undefined)
      .map(
        ({ path, lines }) =>
          `${path} has ${lines} lines, the rule is ${MOST_LINES}: split it, or excuse it here with a reason`,
      ),
    ...Object.keys(excused)
      .filter(path => !long.has(path))
      .map(path => `${path} needs no excuse any more: remove it from the list`),
  ]
}
