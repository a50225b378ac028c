/** `http`: requests through the engine's HTTP worker to a worker and back, and through a bare `Bun.serve`, in turn. */
import { ANSWER_BODY, REQUEST } from '../clients/wire.ts'
import type { BenchContext, Values } from '../context.ts'
import { startEngine } from '../engine.ts'
import { median } from '../histogram.ts'
import { clientPath, run, start } from '../processes.ts'
import { cpuSeconds } from '../procfs.ts'
import { findTool } from '../tools.ts'

export const routeCounts = [1, 10, 1000] as const
export const httpMeasures = ['rate', 'p50', 'p99', 'cpu'] as const

const CONNECTIONS = 64
const METHODS = ['POST', 'GET'] as const
const ROUTES_READY_MS = 20_000

type Method = (typeof METHODS)[number]

/** What `clients/wrk.lua` prints, and the CPU time of the server meanwhile. */
interface WrkResult {
  requests: number
  seconds: number
  p50Ms: number
  p99Ms: number
  failures: number
  cpuSeconds: number
}

interface Contestant {
  /** Measure names begin with it. */
  readonly name: string
  readonly method: Method
  readonly url: string
  readonly pid: number
  readonly routes: number
}

interface Server {
  readonly contestants: Contestant[]
  stop(): Promise<void>
}

const pathOf = (route: number): string => `/bench-${route}/7?from=wrk`

async function request(url: string, method: Method): Promise<string> {
  const body = method === 'POST' ? { body: REQUEST } : {}
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method, headers, ...body })
  return `${response.status} ${await response.text()}`
}

/** Waits until the last route answers; nothing else says that it is bound. */
async function untilAnswers(url: string, method: Method): Promise<void> {
  const giveUpAt = performance.now() + ROUTES_READY_MS
  const good = `200 ${ANSWER_BODY}`
  let last = ''
  while (performance.now() < giveUpAt) {
    last = await request(url, method)
    if (last === good) return
    await Bun.sleep(10)
  }
  throw new Error(`${method} ${url} answers "${last.slice(0, 200)}" and not "${good}"`)
}

async function engineServer(entry: string, routes: number, methods: readonly Method[]): Promise<Server> {
  const engine = startEngine(entry)
  const { workers, http } = await engine.addresses
  const table = Array.from({ length: routes }, (_, at) =>
    methods.map(method => ({ method, path: `/bench-${at}/:id` })),
  ).flat()
  const worker = start([
    process.execPath,
    clientPath('echoWorker.ts'),
    JSON.stringify({ url: workers, functionIds: ['bench::http'], routes: table }),
  ])
  await worker.firstLine
  for (const method of methods) await untilAnswers(http + pathOf(routes - 1), method)
  const more = routes === 1 ? '' : `-${routes}-routes`
  return {
    contestants: methods.map(method => ({
      name: `http-${method.toLowerCase()}${more}`,
      method,
      url: http,
      pid: engine.pid,
      routes,
    })),
    async stop() {
      await worker.stop()
      await engine.stop()
    },
  }
}

async function bareServer(methods: readonly Method[]): Promise<Server> {
  const server = start([process.execPath, clientPath('bareServer.ts'), '0'])
  const url = await server.firstLine
  for (const method of methods) await untilAnswers(url + pathOf(0), method)
  return {
    contestants: methods.map(method => ({
      name: `http-bun-${method.toLowerCase()}`,
      method,
      url,
      pid: server.pid,
      routes: 1,
    })),
    stop: server.stop,
  }
}

/** One run of wrk on one thread: the other core is for the server and the worker. Its times are whole seconds. */
async function runWrk(wrk: string, contestant: Contestant, seconds: number): Promise<WrkResult> {
  const { url, method, routes, pid } = contestant
  const options = ['-t1', `-c${CONNECTIONS}`, `-d${Math.max(1, Math.round(seconds))}s`, '--timeout', '10s']
  const script = ['-s', clientPath('wrk.lua'), url, '--', method, String(routes), REQUEST]
  const cpuBefore = cpuSeconds(pid) ?? Number.NaN
  const output = await run([wrk, ...options, ...script])
  const cpu = (cpuSeconds(pid) ?? Number.NaN) - cpuBefore
  const line = output.split('\n').find(each => each.startsWith('{'))
  if (line === undefined) throw new Error(`wrk printed no result:\n${output}`)
  return { ...JSON.parse(line), cpuSeconds: cpu }
}

function valuesOf(name: string, results: WrkResult[]): Values {
  return {
    [`${name}-rate`]: median(results.map(({ requests, seconds }) => requests / seconds)),
    [`${name}-p50`]: median(results.map(({ p50Ms }) => p50Ms)),
    [`${name}-p99`]: median(results.map(({ p99Ms }) => p99Ms)),
    [`${name}-cpu`]: median(results.map(({ cpuSeconds: cpu, requests }) => (cpu / requests) * 1e6)),
  }
}

export async function measureHttp({ options, say, wanted }: BenchContext): Promise<Values> {
  const wrk = findTool('wrk', 'the rows http-* are', say)
  if (wrk === undefined) return {}
  const servers: Server[] = []
  const values: Values = {}
  try {
    for (const routes of routeCounts) {
      servers.push(await engineServer(options.engine, routes, routes === 1 ? METHODS : ['POST']))
    }
    servers.push(await bareServer(METHODS))
    const contestants = servers
      .flatMap(server => server.contestants)
      .filter(({ name }) => httpMeasures.some(measure => wanted(`${name}-${measure}`)))
    const results = new Map(contestants.map(({ name }) => [name, [] as WrkResult[]]))
    for (const contestant of contestants) await runWrk(wrk, contestant, 1)
    for (let round = 1; round <= options.rounds; round++) {
      for (const contestant of contestants) {
        const result = await runWrk(wrk, contestant, options.seconds)
        results.get(contestant.name)!.push(result)
        say(`${contestant.name}, round ${round}: ${Math.round(result.requests / result.seconds)}/s`)
      }
    }
    let failures = 0
    for (const [name, ofName] of results) {
      Object.assign(values, valuesOf(name, ofName))
      if (!name.startsWith('http-bun')) failures += ofName.reduce((sum, result) => sum + result.failures, 0)
    }
    values['http-failures'] = failures
  } finally {
    for (const server of servers) await server.stop()
  }
  return values
}
