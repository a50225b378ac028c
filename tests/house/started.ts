/** `npm start` on ports that are free, for tests that want to see it run. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { acceptor, shards } from '../support/shape.ts'

export const START = join(import.meta.dir, '..', '..', 'scripts', 'start.ts')

const config = (httpPort: number) => `
shards: ${shards}
acceptor: ${acceptor}
workers:
  - name: iii-worker-manager
    config: { port: 0 }
  - name: iii-http
    config: { port: ${httpPort} }
  - name: iii-cron
  - name: iii-pubsub
  - name: iii-queue
  - name: iii-state
  - name: iii-stream
    config: { port: 0 }
`

export interface Started {
  readonly child: Bun.Subprocess<'ignore', 'pipe', 'pipe'>
  /** What it printed on stdout when everything was up. */
  readonly summary: string
  /** Everything on stderr so far. */
  progress(): string
  /** Replaces the addresses that documentation names by those of this run. */
  withAddresses(text: string): string
  /** Its exit code, once everything it has said is in `progress`. */
  readonly ended: Promise<number>
  /** Asks it to end; returns the exit code. */
  stop(signal?: 'SIGTERM' | 'SIGINT'): Promise<number>
}

/** Rejects, with everything it has said, when it ends before everything is up. */
export async function startExamples(env: Record<string, string> = {}, httpPort = 0): Promise<Started> {
  const folder = mkdtempSync(join(tmpdir(), 'started-'))
  writeFileSync(join(folder, 'config.yaml'), config(httpPort))
  const child = Bun.spawn(
    [process.execPath, '--no-orphans', START, '--config', join(folder, 'config.yaml')],
    {
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      env: { ...process.env, ...env },
    },
  )
  let progress = ''
  const collected = collect(child.stderr, text => {
    progress += text
  })
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let summary = ''
  void collect(child.stdout, text => {
    summary += text
    // An empty line closes it.
    if (summary.endsWith('\n\n')) resolve(summary)
  })
  const ended = Promise.all([child.exited, collected]).then(([code]) => {
    rmSync(folder, { recursive: true, force: true })
    reject(new Error(`it ended with code ${code}:\n${progress}`))
    return code
  })
  await promise

  const http = /https?:\/\/\S+:\d+/.exec(summary)?.[0] ?? ''
  const stream = /stream +(wss?:\/\/\S+:\d+)/.exec(summary)?.[1] ?? ''
  const worker = /wss?:\/\/\S+:\d+/.exec(summary)?.[0] ?? ''
  return {
    child,
    summary,
    ended,
    progress: () => progress,
    withAddresses: text =>
      text
        .replaceAll(/http:\/\/(127\.0\.0\.1|localhost):3111/g, http)
        .replaceAll(/ws:\/\/(127\.0\.0\.1|localhost):3112/g, stream)
        .replaceAll(/ws:\/\/(127\.0\.0\.1|localhost):49134/g, worker),
    stop(signal = 'SIGTERM') {
      child.kill(signal)
      return ended
    },
  }
}

async function collect(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder()
  for await (const bytes of stream) take(decoder.decode(bytes, { stream: true }))
}
