/**
 * Takes orders over HTTP and asks a worker in another language what they cost.
 *
 *     POST /orders ──▶ orders::create (here) ──▶ pricing::quote (pricing.py) ──▶ 201 {"order_id", "items", "total"}
 */
import { InvocationError, registerWorker } from 'iii-sdk'

interface Item {
  sku: string
  quantity: number
}

interface Quote {
  total: number
  currency: string
}

interface Answer {
  status_code: number
  body: unknown
}

const worker = registerWorker(process.env.III_URL ?? 'ws://127.0.0.1:49134', { workerName: 'orders' })

/** Over HTTP there is a body, whatever it holds; who calls the function itself may leave it out. */
async function createOrder(request: { body?: { items?: Item[] } | null } | null): Promise<Answer> {
  const items = request?.body?.items
  if (!Array.isArray(items) || items.length === 0)
    return { status_code: 400, body: { error: 'an order has at least one item' } }
  try {
    // Where pricing runs, and in which language, is none of our business.
    const quote = await worker.trigger<{ items: Item[] }, Quote>({
      function_id: 'pricing::quote',
      payload: { items },
    })
    return { status_code: 201, body: { order_id: crypto.randomUUID(), items, ...quote } }
  } catch (error) {
    const reason = error instanceof InvocationError ? error.message : String(error)
    return { status_code: 502, body: { error: `no price: ${reason}` } }
  }
}

worker.registerFunction('orders::create', createOrder, { description: 'Prices an order and accepts it' })

worker.registerTrigger({
  type: 'http',
  function_id: 'orders::create',
  config: { api_path: '/orders', http_method: 'POST' },
})
