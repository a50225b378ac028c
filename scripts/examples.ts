/** The workers that `npm start` runs beside the engine, and requests that show what they do. */

export interface ExampleWorker {
  name: string
  runtime: 'bun' | 'python'
  /** From the folder of the project. */
  file: string
  /** Packages of a Python worker. */
  requirements?: string
}

/** A request that is answered with 2xx once its workers are there. */
export interface Try {
  /** Names of example workers. */
  by: string[]
  /** Functions that have to be registered. */
  needs: string[]
  shows: string
  method: 'GET' | 'POST'
  path: string
  /** JSON. */
  body?: string
}

export const exampleWorkers: readonly ExampleWorker[] = [
  { name: 'hello', runtime: 'bun', file: 'examples/hello/worker.ts' },
  { name: 'orders', runtime: 'bun', file: 'examples/polyglot/orders.ts' },
  {
    name: 'pricing',
    runtime: 'python',
    file: 'examples/polyglot/pricing.py',
    requirements: 'examples/polyglot/requirements.txt',
  },
]

export const tries: readonly Try[] = [
  {
    by: ['hello'],
    needs: ['hello::greet'],
    shows: 'one function behind one route',
    method: 'GET',
    path: '/hello?name=you',
  },
  {
    by: ['orders', 'pricing'],
    needs: ['orders::create', 'pricing::quote'],
    shows: 'HTTP → TypeScript → Python → answer',
    method: 'POST',
    path: '/orders',
    body: '{"items":[{"sku":"tea","quantity":2}]}',
  },
]

/** The same request for a terminal. `address` is that of the HTTP listener. */
export function curlLine({ method, path, body }: Try, address: string): string {
  const url = /[?&]/.test(path) ? `'${address}${path}'` : `${address}${path}`
  const json = body === undefined ? '' : ` -H 'content-type: application/json' -d '${body}'`
  return `curl${method === 'GET' || body !== undefined ? '' : ` -X ${method}`} ${url}${json}`
}
