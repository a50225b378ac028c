/** One function behind one route: `GET /hello?name=Ada` answers `{"message":"Hello, Ada!"}`. */
import { registerWorker } from '../../sdk/typescript/src/mod.ts'

/** Over HTTP it is there; who calls the function itself may leave it out. */
interface Request {
  query_params?: { name?: string }
}

const worker = registerWorker(process.env.III_URL, { workerName: 'hello' })

worker.registerFunction<Request | null>(
  'hello::greet',
  request => ({
    status_code: 200,
    body: { message: `Hello, ${request?.query_params?.name ?? 'world'}!` },
  }),
  { description: 'Greets whoever is named in the query' },
)

worker.registerTrigger({
  type: 'http',
  function_id: 'hello::greet',
  config: { api_path: '/hello', http_method: 'GET' },
})
