/**
 * The Dockerfile, step by step, in a clean folder. There is no container here: the base image, its user and the size
 * are not shown; every COPY, RUN, the entry point and the health check are, with the Bun that runs this test.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildImage, type Image, isIgnored, readInstructions } from './dockerfile.ts'

const root = join(import.meta.dir, '..', '..')
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8')
const dockerignore = readFileSync(join(root, '.dockerignore'), 'utf8')

/** Whom the image's user stands for: someone who owns nothing here. Only root can become someone else. */
const someone = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}

const openConfig = `
workers:
  - name: iii-worker-manager
    config: { host: 127.0.0.1, port: 0 }
  - name: iii-http
    config: { host: 127.0.0.1, port: 0 }
`

let folder: string
let env: Record<string, string | undefined>
let image: Image

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'image-'))
  for (const name of ['bin', 'stages', 'home', 'etc']) mkdirSync(join(folder, name))
  // The base image has `bun` on its PATH; a copy, so that its user may run it wherever this one lies.
  cpSync(process.execPath, join(folder, 'bin', 'bun'))
  chmodSync(folder, 0o755)
  chmodSync(join(folder, 'home'), 0o777)
  writeFileSync(join(folder, 'etc', 'config.yaml'), openConfig)
  // The rest of the environment says how this machine reaches a registry.
  env = { ...process.env, PATH: `${join(folder, 'bin')}:/usr/bin:/bin`, HOME: join(folder, 'home') }
  image = buildImage({ context: root, target: join(folder, 'stages'), env })
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs a program of the image as its user would. */
const inImage = (command: string[], more: Record<string, string> = {}) =>
  Bun.spawn(command, {
    ...someone,
    cwd: join(image.root, image.workdir),
    env: { ...env, ...image.env, ...more },
    stdout: 'pipe',
    stderr: 'pipe',
  })

/** What a program prints when it is up. */
async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const { value } = await stream.getReader().read()
  return new TextDecoder().decode(value)
}

describe('the image', () => {
  test('is built in stages, and its base is named by version', () => {
    const bases = readInstructions(dockerfile).filter(({ name }) => name === 'FROM')
    expect(bases.length).toBeGreaterThan(1)
    for (const { text } of bases) expect(text).toMatch(/^oven\/bun:\d+\.\d+\.\d+-(slim|distroless)\b/)
  })

  test('does not run as root, names its ports and looks after its health', () => {
    expect(image.user).toBe('bun')
    expect(image.ports).toEqual([49134, 3111])
    expect(image.healthcheck).toEqual(['bun', 'scripts/healthcheck.ts'])
  })

  test('holds the engine and what it needs to run, and nothing for developing it', () => {
    const has = (path: string) => existsSync(join(image.root, image.workdir, path))
    for (const needed of ['src/main.ts', 'node_modules/zod', 'LICENSE', 'scripts/container.sh']) {
      expect([needed, has(needed)]).toEqual([needed, true])
    }
    for (const spare of [
      'tests',
      'bench',
      'examples',
      'node_modules/typescript',
      'scripts/test.ts',
      '.git',
    ]) {
      expect([spare, has(spare)]).toEqual([spare, false])
    }
  })

  test('starts with a mounted configuration, is healthy, and stops on SIGTERM with code 0', async () => {
    const engine = inImage([...image.entrypoint, '--json'], {
      III_CONFIG: join(folder, 'etc', 'config.yaml'),
    })
    try {
      const { addresses } = JSON.parse(await firstLine(engine.stdout)) as {
        addresses: Record<string, string>
      }
      const worker = Object.values(addresses).find(address => address.startsWith('ws:'))
      const III_HEALTH_URL = `${worker?.replace('ws:', 'http:')}/`
      const check = inImage(image.healthcheck, { III_HEALTH_URL })
      expect([await new Response(check.stdout).text(), await check.exited]).toEqual(['healthy\n', 0])
    } finally {
      engine.kill('SIGTERM')
    }
    expect(await engine.exited).toBe(0)
  })

  test('is unhealthy when nothing listens, or something else does', async () => {
    const stranger = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: () => new Response('hi', { status: 400 }),
    })
    const url = `http://127.0.0.1:${stranger.port}/`
    const wrong = inImage(image.healthcheck, { III_HEALTH_URL: url })
    expect(await new Response(wrong.stdout).text()).toContain(
      'something that is not the engine answers (400)',
    )
    await stranger.stop(true)
    const dead = inImage(image.healthcheck, { III_HEALTH_URL: url })
    expect(await dead.exited).toBe(1)
  })

  test('says how to open it when no configuration is mounted, and what it says works', async () => {
    // A wrong flag ends the engine before it binds the ports of the defaults, which may be taken here.
    const closed = inImage([...image.entrypoint, '--no-such-flag'], { III_CONFIG: join(folder, 'none.yaml') })
    const [text, code] = [await new Response(closed.stderr).text(), await closed.exited]
    expect(code).toBe(2)
    expect(text).toContain('this container is closed')
    expect(text).toContain('docker run -v "$PWD/config.yaml:/etc/iii/config.yaml:ro"')

    const advised = /^ {4}workers:\n(?: {6}.*\n)+/m.exec(text)?.[0].replaceAll(/port: \d+/g, 'port: 0') ?? ''
    expect(advised).toContain('0.0.0.0')
    writeFileSync(join(folder, 'advised.yaml'), advised.replaceAll(/^ {4}/gm, ''))
    const open = inImage([...image.entrypoint, '--json'], { III_CONFIG: join(folder, 'advised.yaml') })
    expect(await firstLine(open.stdout)).toContain('ws://0.0.0.0:')
    open.kill('SIGTERM')
    expect(await open.exited).toBe(0)
  })

  test('passes other commands on', async () => {
    const version = inImage([...image.entrypoint, '--version'])
    expect(await new Response(version.stdout).text()).toMatch(/^\d+\.\d+\.\d+\n$/)
    const help = inImage([...image.entrypoint, 'trigger', '--help'])
    expect(await new Response(help.stdout).text()).toContain('--timeout-ms')
  })
})

describe('the stand-in for a builder', () => {
  test('joins continued lines and leaves comments out', () => {
    expect(readInstructions('# one\nRUN a \\\n  && b\n\ncopy x y')).toEqual([
      { name: 'RUN', text: 'a && b' },
      { name: 'COPY', text: 'x y' },
    ])
  })

  test.each([
    ['src/main.ts', false],
    ['workers/http/README.md', true],
    ['sdk/typescript/src/mod.ts', false],
    ['sdk/python/setup.py', true],
    ['scripts/start.ts', true],
    ['.git/HEAD', true],
    ['node_modules/zod/index.js', true],
  ])('keeps %s from the builder: %p', (path, ignored) => {
    expect(isIgnored(dockerignore, path)).toBe(ignored)
  })
})
