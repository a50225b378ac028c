/** What a command or a thread loads before it can do anything: every module and every package costs each start milliseconds. */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

const root = join(import.meta.dir, '..', '..')
const transpiler = new Bun.Transpiler({ loader: 'ts' })

/** Files, packages and modules of the platform that importing `entries` loads; what is only imported on demand is not. */
function loadedBy(...entries: string[]): string[] {
  const loaded = new Set(entries)
  for (const name of loaded) {
    if (!name.endsWith('.ts')) continue
    const source = readFileSync(join(root, name), 'utf8').replace(/^#!.*/, '')
    for (const { kind, path } of transpiler.scanImports(source)) {
      if (kind !== 'import-statement') continue
      loaded.add(path.startsWith('.') ? relative(root, join(root, dirname(name), path)) : path)
    }
  }
  return [...loaded]
}

const ENGINE = 'src/engine/engine.ts'
const SDK_FOR_SOCKETS = 'sdk/typescript/src/websocket.ts'

const EXPRESSIONS = '@marcbachmann/cel-js'
const WORKERS = ['http', 'cron', 'pubsub', 'state', 'stream', 'stream/gateway'].map(
  name => `workers/${name}/worker.ts`,
)

const commands: [command: string, loaded: string[], needs: string[], doesWithout: string[]][] = [
  ['--help and --version', loadedBy('src/main.ts'), ['commander'], [ENGINE, 'zod', 'yaml', SDK_FOR_SOCKETS]],
  [
    'the engine before the first thread begins to load its own code',
    loadedBy('src/main.ts', 'src/threads/pool.ts'),
    ['piscina'],
    [ENGINE, 'zod', 'yaml', ...WORKERS],
  ],
  [
    'the engine before it has its settings',
    loadedBy('src/main.ts', 'src/cli/serve/run.ts', 'src/threads/start.ts', 'src/threads/placement.ts'),
    ['zod'],
    // yaml is for runs with a file.
    [ENGINE, 'yaml', ...WORKERS],
  ],
  [
    'the engine',
    loadedBy('src/main.ts', 'src/threads/mainThread.ts', 'src/threads/shards.ts', ...WORKERS),
    [ENGINE, 'zod'],
    // The two of the platform take 10 ms together.
    ['yaml', EXPRESSIONS, SDK_FOR_SOCKETS, 'node:net', 'node:readline/promises'],
  ],
  [
    'the durable thread',
    loadedBy(
      'src/threads/shard.ts',
      'src/threads/durable.ts',
      'workers/state/worker.ts',
      'workers/stream/worker.ts',
    ),
    [ENGINE, 'bun:sqlite'],
    ['yaml', 'zod', 'commander', 'piscina', EXPRESSIONS, SDK_FOR_SOCKETS, 'node:net'],
  ],
  [
    'trigger',
    loadedBy('src/main.ts', 'src/cli/trigger/run.ts', 'sdk/typescript/src/mod.ts'),
    [SDK_FOR_SOCKETS],
    [ENGINE, 'zod', 'yaml'],
  ],
]

describe('only what a command needs is loaded', () => {
  test.each(commands)('by %s', (_, loaded, needs, doesWithout) => {
    expect(needs.filter(name => !loaded.includes(name))).toEqual([])
    expect(loaded.filter(name => doesWithout.includes(name))).toEqual([])
  })
})
