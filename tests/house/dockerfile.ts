/**
 * Builds a container image without a container: reads a Dockerfile and carries out its steps in folders, one per
 * stage, with the programs of this machine. What it cannot show: the base image, the isolation, the size.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join, posix } from 'node:path'

export interface Instruction {
  name: string
  text: string
}

/** What an image is told to do when it runs. */
export interface Image {
  /** The folder that stands for `/`. */
  root: string
  workdir: string
  env: Record<string, string>
  user: string | undefined
  ports: number[]
  entrypoint: string[]
  healthcheck: string[]
}

/** Joins continued lines and leaves comments out. */
export function readInstructions(dockerfile: string): Instruction[] {
  const lines = dockerfile.split('\n').filter(line => !/^\s*(#|$)/.test(line))
  return lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map(line => {
      const [, name, text] = /^(\w+)\s+(.*)$/.exec(line.trim()) ?? []
      if (name === undefined || text === undefined) throw new Error(`not a Dockerfile instruction: ${line}`)
      return { name: name.toUpperCase(), text }
    })
}

/** True for a path of the context that `.dockerignore` keeps from the builder; the last matching line decides. */
export function isIgnored(dockerignore: string, path: string): boolean {
  let ignored = false
  for (const line of dockerignore.split('\n').map(each => each.trim())) {
    if (line === '' || line.startsWith('#')) continue
    const pattern = line.replace(/^!/, '')
    const parents = path.split('/').map((_, at, parts) => parts.slice(0, at + 1).join('/'))
    if (parents.some(parent => new Bun.Glob(pattern).match(parent))) ignored = !line.startsWith('!')
  }
  return ignored
}

export interface Build {
  /** The folder that holds the Dockerfile. */
  context: string
  /** An empty folder for the stages. */
  target: string
  /** Environment of the RUN steps. */
  env: Record<string, string | undefined>
}

/** Carries out all stages and returns the last one. Throws on an instruction that it does not know. */
export function buildImage({ context, target, env }: Build): Image {
  const dockerignore = readFileSync(join(context, '.dockerignore'), 'utf8')
  const stages = new Map<string, Image>()
  let image: Image | undefined
  for (const { name, text } of readInstructions(readFileSync(join(context, 'Dockerfile'), 'utf8'))) {
    if (name === 'FROM') {
      const stage = / AS (\S+)$/i.exec(text)?.[1] ?? `stage-${stages.size}`
      const root = join(target, stage)
      mkdirSync(root)
      image = { root, workdir: '/', env: {}, user: undefined, ports: [], entrypoint: [], healthcheck: [] }
      stages.set(stage, image)
      continue
    }
    if (image === undefined) throw new Error(`${name} before the first FROM`)
    carryOut(image, name, text, { context, dockerignore, stages, env })
  }
  if (image === undefined) throw new Error('the Dockerfile has no stage')
  return image
}

interface Surroundings {
  context: string
  dockerignore: string
  stages: ReadonlyMap<string, Image>
  env: Record<string, string | undefined>
}

function carryOut(image: Image, name: string, text: string, around: Surroundings): void {
  switch (name) {
    case 'WORKDIR':
      image.workdir = posix.resolve(image.workdir, text)
      mkdirSync(join(image.root, image.workdir), { recursive: true })
      return
    case 'ENV':
      for (const [, key, value] of text.matchAll(/(\w+)=(\S+)/g)) image.env[key!] = value!
      return
    case 'COPY':
      copy(image, text.split(/\s+/), around)
      return
    case 'RUN': {
      const cwd = join(image.root, image.workdir)
      const step = Bun.spawnSync(['sh', '-euc', text], { cwd, env: { ...around.env, ...image.env } })
      if (step.exitCode !== 0) throw new Error(`RUN ${text} failed:\n${step.stdout}${step.stderr}`)
      return
    }
    case 'USER':
      image.user = text
      return
    case 'EXPOSE':
      image.ports.push(...text.split(/\s+/).map(Number))
      return
    case 'ENTRYPOINT':
      image.entrypoint = JSON.parse(text)
      return
    case 'HEALTHCHECK':
      image.healthcheck = JSON.parse(text.slice(text.indexOf('CMD') + 3))
      return
    default:
      throw new Error(`tests/house/dockerfile.ts does not know ${name}`)
  }
}

/** COPY: a folder gives its content, a file itself; the target is a folder unless one file goes to another name. */
function copy(image: Image, words: string[], { context, dockerignore, stages }: Surroundings): void {
  const stageName = words[0]?.startsWith('--from=') ? words.shift()!.slice('--from='.length) : undefined
  const from = stageName === undefined ? context : stages.get(stageName)?.root
  const to = words.pop()
  if (from === undefined || to === undefined || words.length === 0)
    throw new Error(`cannot COPY ${words.join(' ')}`)
  const target = join(image.root, posix.resolve(image.workdir, to))
  const kept = (path: string) => stageName !== undefined || !isIgnored(dockerignore, path)
  for (const word of words) {
    const source = join(from, word)
    if (!existsSync(source) || !kept(word)) throw new Error(`COPY ${word}: not in the context of the build`)
    const contextPath = (path: string) => path.slice(from.length + 1).replaceAll('\\', '/')
    if (statSync(source).isFile()) {
      cpSync(source, /\/$|^\.$/.test(to) || words.length > 1 ? join(target, basename(word)) : target)
    } else {
      for (const entry of readdirSync(source)) {
        const filter = (path: string) => kept(contextPath(path))
        cpSync(join(source, entry), join(target, entry), { recursive: true, verbatimSymlinks: true, filter })
      }
    }
  }
}
