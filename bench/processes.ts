/** The processes of a bench run: the engine, its peers and their clients. All end with the run, however that ends. */
import { createServer } from 'node:net'

const STOP_MS = 3000
const START_MS = 20_000
/** Of the last output of a process that failed, so that its reason is seen. */
const KEPT_CHARACTERS = 2000

export interface Running {
  readonly pid: number
  /** The first line on stdout; an error with the process's last words if it ends before, or says nothing for too long. */
  readonly firstLine: Promise<string>
  stop(): Promise<void>
}

const running = new Set<Bun.Subprocess>()

function endAll(): void {
  for (const child of running) child.kill('SIGKILL')
}
process.on('exit', endAll)
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => process.exit(code))
}

async function forEachLine(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: string) => void,
): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of stream) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
  }
  if (rest !== '') onLine(rest)
}

/**
 * Starts a process. Its stdin is empty; lines of stderr go to `onErrorLine`. `startMs`: for its first line; 0: as long as it
 * takes.
 */
export function start(
  command: string[],
  onErrorLine: (line: string) => void = () => {},
  env: Record<string, string> = {},
  startMs = START_MS,
): Running {
  const child = Bun.spawn(command, {
    env: { ...process.env, ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  running.add(child)
  void child.exited.then(() => running.delete(child))
  const { promise: firstLine, resolve, reject } = Promise.withResolvers<string>()
  let lastWords = ''
  const failed = (what: string): void =>
    reject(new Error(`${command.join(' ').slice(0, 200)}: ${what}\n${lastWords}`))
  const timer = startMs === 0 ? undefined : setTimeout(() => failed('no output'), startMs)
  const errors = forEachLine(child.stderr, line => {
    lastWords = `${lastWords}${line}\n`.slice(-KEPT_CHARACTERS)
    onErrorLine(line)
  })
  const output = forEachLine(child.stdout, line => {
    clearTimeout(timer)
    resolve(line)
  })
  void Promise.all([errors, output, child.exited]).then(([, , code]) => {
    clearTimeout(timer)
    failed(`ended with ${code}`)
  })
  // Whoever waits for the line hears of the failure; nobody has to.
  firstLine.catch(() => {})

  return {
    pid: child.pid,
    firstLine,
    async stop() {
      child.kill('SIGTERM')
      const hard = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      await child.exited
      clearTimeout(hard)
    },
  }
}

/** Runs a process to its end and gives its stdout. An error with its last words if it fails. */
export async function run(
  command: string[],
  onErrorLine: (line: string) => void = () => {},
): Promise<string> {
  const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  running.add(child)
  let lastWords = ''
  const [output, code] = await Promise.all([
    new Response(child.stdout).text(),
    child.exited,
    forEachLine(child.stderr, line => {
      lastWords = `${lastWords}${line}\n`.slice(-KEPT_CHARACTERS)
      onErrorLine(line)
    }),
  ])
  running.delete(child)
  if (code === 0) return output
  throw new Error(`${command.join(' ').slice(0, 200)}: ended with ${code}\n${lastWords}`)
}

/** Runs one of the clients with its options; the result is the last line of its output. */
export async function runClient<Result>(
  file: string,
  options: unknown,
  onErrorLine?: (line: string) => void,
): Promise<Result> {
  const output = await run([process.execPath, clientPath(file), JSON.stringify(options)], onErrorLine)
  return JSON.parse(output.trimEnd().split('\n').at(-1)!) as Result
}

export const clientPath = (file: string): string => `${import.meta.dir}/clients/${file}`

/** A port of 127.0.0.1 nobody listens on at this moment. */
export function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const server = createServer()
  server.on('error', reject)
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
  })
  return promise
}
