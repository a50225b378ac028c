/** A registry over files in memory, and the whole worker with a client that is in the test itself. */

import * as yaml from 'yaml'
import type { BuiltInClient, TextCall, TriggerProvider } from '../../sdk/typescript/src/worker.ts'
import { readDocument } from '../../src/config/document.ts'
import type { Cause } from '../../src/delivery/depth.ts'
import type { ErrorBody, Target } from '../../src/protocol/frames.ts'
import { fromJsonText, type JsonText, toJsonText } from '../../src/protocol/jsonText.ts'
import { configurationConfigSchema } from '../../workers/configuration/config.ts'
import { createDocuments } from '../../workers/configuration/document.ts'
import type { ConfigurationEvent } from '../../workers/configuration/entry.ts'
import type { Environment } from '../../workers/configuration/expand.ts'
import type { Caller } from '../../workers/configuration/functions.ts'
import type { Json } from '../../workers/configuration/json.ts'
import { createReading } from '../../workers/configuration/reading.ts'
import { createRegistry, type Registry } from '../../workers/configuration/registry.ts'
import type { Seed } from '../../workers/configuration/seed.ts'
import { createStore } from '../../workers/configuration/store.ts'
import { createCheck } from '../../workers/configuration/validate.ts'
import { createConfigurationWorker } from '../../workers/configuration/worker.ts'
import type { RunningWorker } from '../../workers/worker.ts'
import {
  createRecordingLog,
  createVirtualClock,
  type RecordingLog,
  type VirtualClock,
} from '../support/fakes.ts'
import { createMemoryFiles, DIRECTORY, type MemoryFiles } from './memoryFiles.ts'

const BOUNDS = { values: 5, bytes: 1024 * 1024 }
export const MOST_CHARACTERS = 20_000
export const MOST_ENTRIES = 10
export const OWNER = { author: 'owner' }
const documents = createDocuments(yaml, readDocument)

export interface TestRegistry {
  readonly registry: Registry
  readonly files: MemoryFiles
  readonly events: ConfigurationEvent[]
  readonly log: RecordingLog
  readonly clock: VirtualClock
  register(id: string, value?: Json, schema?: Json): Promise<void>
  set(id: string, value: Json, ifRevision?: number): Promise<void>
  value(id: string): Json | undefined
  revision(id: string): number | undefined
}

export async function openRegistry(
  files = createMemoryFiles(),
  env: Environment = {},
): Promise<TestRegistry> {
  const log = createRecordingLog()
  const clock = createVirtualClock()
  const events: ConfigurationEvent[] = []
  const registry = createRegistry({
    store: createStore({ files, directory: DIRECTORY, log }),
    documents: async () => documents,
    reading: createReading({ env, check: createCheck(() => performance.now()) }),
    history: BOUNDS,
    bounds: { entries: MOST_ENTRIES, deleted: 3, characters: MOST_CHARACTERS },
    clock,
    log,
    tell: event => events.push(event),
  })
  await registry.load()
  return {
    registry,
    files,
    events,
    log,
    clock,
    async register(id, value, schema = {}) {
      await registry.register(
        {
          id,
          name: id,
          description: '',
          schema,
          value,
          keepsValue: false,
          metadata: undefined,
          registrant: 'owner',
        },
        undefined,
        OWNER,
      )
    },
    async set(id, value, ifRevision) {
      await registry.set({ id, value, ifRevision }, OWNER)
    },
    value: id => registry.find(id)?.value,
    revision: id => registry.find(id)?.revision,
  }
}

/** The error of a promise that has to fail: `CODE: message`. */
export async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    return `${code}: ${message}`
  }
  throw new Error('was not refused')
}

export interface Told {
  readonly functionId: string
  readonly namespace: string | undefined
  readonly metadata: unknown
  readonly payload: Record<string, unknown>
}

export interface TestWorker {
  readonly running: RunningWorker
  readonly files: MemoryFiles
  readonly log: RecordingLog
  readonly clock: VirtualClock
  /** What functions of triggers were called with; taken out. */
  told(): Told[]
  /** Calls `configuration::<name>` as somebody; `null`: as a worker of the engine. */
  call<Result = Record<string, unknown>>(name: string, input: object, caller?: string | null): Promise<Result>
  /** Binds a trigger and returns what the provider remarks; throws what it throws. */
  bind(
    config: unknown,
    more?: { id?: string; functionId?: string; metadata?: unknown; namespace?: string },
  ): unknown
  unbind(id: string): void
  /** Answers conditions: functions whose id begins with `is::`. */
  condition: (
    call: TextCall,
  ) => { result?: unknown; error?: ErrorBody } | Promise<{ result?: unknown; error?: ErrorBody }>
  formats: ReadonlyMap<string, unknown>
  /** What calls come with. */
  cause: Cause
}

export interface WorkerOptions {
  readonly config?: object
  readonly env?: Environment
  readonly files?: MemoryFiles
  readonly callers?: Readonly<Record<string, Caller>>
  readonly seeds?: readonly Seed[]
}

const CALLERS: Readonly<Record<string, Caller>> = {
  owner: { name: 'owner', builtIn: false },
  stranger: { name: 'stranger', builtIn: false },
  console: { name: 'console', builtIn: false },
  builtin: { name: 'iii-http', builtIn: true },
}

export async function startWorker(options: WorkerOptions = {}): Promise<TestWorker> {
  const files = options.files ?? createMemoryFiles()
  const log = createRecordingLog()
  const clock = createVirtualClock()
  const handlers = new Map<string, (input: unknown, context: Cause) => unknown>()
  const formats = new Map<string, unknown>()
  let provider: TriggerProvider | undefined
  let told: Told[] = []
  let bindings = 0
  const callers = options.callers ?? CALLERS
  const client = {
    registerFunction(
      id: string,
      handler: (input: unknown, context: Cause) => unknown,
      more: { request_format?: unknown },
    ) {
      handlers.set(id, handler)
      formats.set(id, more.request_format)
      return { unregister() {} }
    },
    registerTriggerType(_: unknown, given: TriggerProvider) {
      provider = given
      return { unregister() {} }
    },
    ready: () => Promise.resolve(),
    tellAll(targets: readonly Target[], data: JsonText) {
      for (const { functionId, namespace, metadata } of targets) {
        told.push({
          functionId,
          namespace,
          metadata: metadata === undefined ? undefined : fromJsonText(metadata),
          payload: fromJsonText(data) as Record<string, unknown>,
        })
      }
      return true
    },
    call(call: TextCall, answer: (error: ErrorBody | undefined, result: JsonText | undefined) => void) {
      if (!call.functionId.startsWith('is::')) {
        const { functionId, namespace, metadata, data } = call
        client.tellAll([{ functionId, namespace, metadata }], data)
        answer(undefined, undefined)
        return () => {}
      }
      void Promise.resolve(worker.condition(call)).then(({ error, result }) =>
        answer(error, error === undefined && result !== undefined ? toJsonText(result) : undefined),
      )
      return () => {}
    },
  } as unknown as BuiltInClient

  const running = await createConfigurationWorker(configurationConfigSchema.parse(options.config ?? {}), {
    files,
    folder: '/project',
    env: options.env ?? {},
    findCaller: id => callers[id],
    seeds: options.seeds ?? [],
    loadReader: async () => readDocument,
    clock,
    log,
  }).start(client)

  const worker: TestWorker = {
    running,
    files,
    log,
    clock,
    formats,
    cause: { traceparent: undefined, baggage: undefined },
    condition: () => ({ result: true }),
    told() {
      const all = told
      told = []
      return all
    },
    async call<Result>(name: string, input: object, caller: string | null = 'owner') {
      // As over the wire: nothing but JSON comes through.
      const given = JSON.parse(JSON.stringify({ ...input, _caller_worker_id: caller })) as unknown
      const result = await handlers.get(`configuration::${name}`)!(given, worker.cause)
      return JSON.parse(JSON.stringify(result)) as Result
    },
    bind(config, { id = `trigger-${++bindings}`, functionId = 'on::change', metadata, namespace } = {}) {
      return provider!.bind({
        id,
        trigger_type: 'configuration',
        function_id: functionId,
        config: toJsonText(config),
        metadata: metadata === undefined ? undefined : toJsonText(metadata),
        namespace,
      })
    },
    unbind: id => void provider!.unbind({ id } as never),
  }
  return worker
}
