/**
 * Starts everything a newcomer wants to see: the engine with embedded defaults and the example workers.
 *
 *     npm start                           ports 49134 (workers) and 3111 (HTTP), on this machine only
 *     npm start -- --config iii.yaml      arguments go to the engine; `--config` replaces the defaults
 *
 * A config.yaml in the folder is used; `--defaults` goes before it. Words that are no start of the engine (`--help`,
 * `trigger …`) go to the command as they are, without examples.
 *
 *     engine up ──▶ workers started ──▶ routes answer ──▶ addresses and curl lines on stdout
 *        │                                                     │
 *        └─ it ends by itself: everything stops, code 1        └─ Ctrl-C: workers, then the engine, stop; code 0
 *
 * Progress and the output of all processes go to stderr. A second Ctrl-C ends everything at once.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Child, killChildren, startChild, stopChildren } from './children.ts'
import { curlLine, type ExampleWorker, exampleWorkers, type Try, tries } from './examples.ts'
import { keptByNpm } from './keptByNpm.ts'
import { providePython } from './python.ts'
import { whyNotReady } from './ready.ts'

const root = join(import.meta.dir, '..')
const bun = process.execPath

/** A terminal, npm and the bootstrap all pass the same Ctrl-C on; it counts once. */
const ONE_SIGNAL_MS = 500
const WORKER_STOP_MS = 3000
/** The engine has 10 s to drain and 2 s to stop. */
const ENGINE_STOP_MS = 13_000
/** For a worker to connect and register, once it is started. */
const READY_MS = 30_000

const say = (text: string): void => void process.stderr.write(`${text}\n`)

const width = Math.max(...['engine', ...exampleWorkers.map(({ name }) => name)].map(name => name.length))
const sayFor = (name: string) => (line: string) => say(`${name.padEnd(width)} | ${line}`)

const workers: Child[] = []
let engine: Child | undefined

/** What the engine starts with, unless the arguments say it. */
function configurationFor(args: readonly string[]): string[] {
  if (args.some(arg => /^(-c|--config(=|$)|--defaults$)/.test(arg))) return []
  const path = join(process.cwd(), 'config.yaml')
  if (!existsSync(path)) return ['--defaults']
  say(`Using ${path}; \`npm start -- --defaults\` starts without it.`)
  return ['--config', path]
}

/** Help, the version or another command: nothing to start examples beside. */
function isOtherCommand([first]: readonly string[]): boolean {
  return first !== undefined && (/^(-h|--help|-v|--version)$/.test(first) || !first.startsWith('-'))
}

/** The addresses by name, once the engine listens; `undefined` when it ended instead, having said why. */
async function startEngine(args: string[]): Promise<Record<string, string> | undefined> {
  const { promise: started, resolve } = Promise.withResolvers<string>()
  const command = [
    bun,
    join(root, 'src/main.ts'),
    ...configurationFor(args),
    '--json',
    '--log-format',
    'human',
    ...args,
  ]
  const { env } = process
  engine = startChild('engine', command, {
    cwd: process.cwd(),
    env,
    onLine: sayFor('engine'),
    onOutput: resolve,
  })
  const line = await Promise.race([started, engine.exited])
  return typeof line === 'string' ? JSON.parse(line).addresses : undefined
}

/** `undefined` when this machine cannot run the worker; what to do about it has been said then. */
async function commandOf({
  name,
  runtime,
  file,
  requirements,
}: ExampleWorker): Promise<string[] | undefined> {
  const path = join(root, file)
  if (runtime === 'bun') return [bun, path]
  const cache = join(root, '.cache')
  const python = await providePython({ cache, requirements: join(root, requirements ?? ''), say })
  if ('program' in python) return [python.program, path]
  say(`The worker "${name}" is left out: ${python.missing}. To have it, ${python.fix}.`)
  return undefined
}

async function startWorker(worker: ExampleWorker, engineUrl: string): Promise<string[]> {
  const command = await commandOf(worker)
  if (command === undefined || stopping !== undefined) return []
  const env = { ...process.env, III_URL: engineUrl, PYTHONUNBUFFERED: '1' }
  const child = startChild(worker.name, command, { cwd: root, env, onLine: sayFor(worker.name) })
  void child.exited.then(code => {
    if (stopping === undefined) say(`The worker "${worker.name}" has ended with code ${code}.`)
  })
  workers.push(child)
  return [worker.name]
}

/** Said when the engine listens: the examples may take their time, the first time their libraries are fetched. */
function whereItListens(addresses: Record<string, string>): string {
  const nameWidth = Math.max(...Object.keys(addresses).map(name => name.length))
  return [
    'iii is running. Ctrl-C stops it.',
    '',
    ...Object.entries(addresses).map(([name, address]) => `  ${name.padEnd(nameWidth)}  ${address}`),
  ].join('\n')
}

/** Said when the examples are there, too; an empty line closes it. */
function whatToTry(works: Try[], http: string): string {
  if (works.length === 0) return ''
  return [
    '',
    'Try in another terminal:',
    '',
    ...works.flatMap(each => [`  # ${each.shows}`, `  ${curlLine(each, http)}`]),
    '',
  ].join('\n')
}

let stopping: Promise<void> | undefined
let firstSignalAt = 0

/** Workers first, so that the engine has nothing left to wait for. */
function stop(): Promise<void> {
  stopping ??= (async () => {
    say('Stopping …')
    await stopChildren(workers, WORKER_STOP_MS)
    if (engine !== undefined) await stopChildren([engine], ENGINE_STOP_MS)
    say('Stopped.')
  })()
  return stopping
}

function onSignal(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): void {
  if (stopping === undefined) {
    firstSignalAt = Date.now()
    void stop().then(() => process.exit(0))
  } else if (Date.now() - firstSignalAt > ONE_SIGNAL_MS) {
    killChildren(engine === undefined ? workers : [...workers, engine])
    process.exit(signal === 'SIGINT' ? 130 : 143)
  }
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => onSignal(signal))

const args = process.argv.slice(2)
const [kept] = keptByNpm(process.env)
if (kept !== undefined) {
  say(
    `error: npm has kept --${kept} for itself\nfix:   two dashes before it hand it on: npm start -- --${kept} …`,
  )
  process.exit(2)
}
if (isOtherCommand(args)) {
  const stdio = ['inherit', 'inherit', 'inherit'] as const
  const command = Bun.spawn([bun, join(root, 'src/main.ts'), ...args], { stdio: [...stdio] })
  process.exit(await command.exited)
}

const addresses = await startEngine(args)
if (addresses === undefined) {
  await stopping
  process.exit(stopping === undefined ? 1 : 0)
}

void engine?.exited.then(async code => {
  if (stopping !== undefined) return
  say(`The engine has ended with code ${code}.`)
  await stop()
  process.exit(1)
})

if (stopping === undefined) console.log(whereItListens(addresses))
const urls = Object.values(addresses)
const workersUrl = urls.find(url => /^wss?:/.test(url)) ?? ''
const httpUrl = urls.find(url => /^https?:/.test(url))
const there = (await Promise.all(exampleWorkers.map(worker => startWorker(worker, workersUrl)))).flat()

/** The requests that work; of the others it is said why not. Without HTTP it only waits for their functions. */
async function workingTries(http: string | undefined): Promise<Try[]> {
  const possible = tries.filter(({ by }) => by.every(name => there.includes(name)))
  const readiness = { withinMs: READY_MS, cancelled: () => stopping !== undefined }
  const tried = possible.map(async request => {
    const complaint = await whyNotReady(request, { workers: workersUrl, http }, readiness)
    if (complaint !== undefined && stopping === undefined) say(complaint)
    return complaint === undefined && http !== undefined ? [request] : []
  })
  return (await Promise.all(tried)).flat()
}

if (httpUrl === undefined && stopping === undefined) {
  say('There is no HTTP: add `- name: iii-http` to `workers:` in the configuration file to try the examples.')
}
const works = await workingTries(httpUrl)
if (stopping === undefined) console.log(whatToTry(works, httpUrl ?? ''))
