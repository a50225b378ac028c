/** Reads configurations against two made-up workers. */
import { z } from 'zod'
import { readConfig } from '../../src/config/read.ts'
import type {
  ConfigProblem,
  Environment,
  FolderContext,
  KnownWorkers,
  Settings,
  ThreadContext,
} from '../../src/config/settings.ts'

const httpSchema = z.strictObject({
  port: z.int().min(0).max(65_535).default(3111),
  host: z.string().default('127.0.0.1'),
  verbose: z.boolean().default(false),
  api_token: z.enum(['red', 'green']).optional(),
  mode: z.enum(['fast', 'slow']).optional(),
  cors: z.strictObject({ allowed_origins: z.array(z.string()) }).optional(),
  adapter: z
    .union([
      z.literal('memory'),
      z.strictObject({ name: z.string(), config: z.strictObject({ url: z.string() }) }),
    ])
    .optional(),
})

export const knownWorkers: KnownWorkers = new Map([
  ['iii-http', { schema: httpSchema, multiple: false }],
  ['iii-echo', { schema: z.strictObject({ n: z.int().default(0) }), multiple: true }],
])

/** A machine with one core. */
export const threads: ThreadContext = {
  cores: 1,
  usualAcceptor: 'kernel',
  shards: undefined,
  acceptor: undefined,
}

export const folders: FolderContext = { cwd: '/home/me', data: undefined }

export function read(text: string, env: Environment = {}) {
  const path = '/project/config.yaml'
  return readConfig(text, { env, path, knownWorkers, insecure: false, threads, folders })
}

export function settings(text: string, env: Environment = {}): Settings {
  const result = read(text, env)
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result.problems)}`)
  return result.settings
}

export function problems(text: string, env: Environment = {}): readonly ConfigProblem[] {
  const result = read(text, env)
  if (result.ok) throw new Error('was not refused')
  return result.problems
}

export const places = (text: string, env: Environment = {}) =>
  problems(text, env).map(({ line, column, path }) => `${line}:${column} ${path}`)
