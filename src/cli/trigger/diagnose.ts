/** Why no engine was reached: one sentence for each of the things that can be in the way, found by looking again. */
import { lookup } from 'node:dns/promises'
import { connect } from 'node:net'
import { connect as connectSecurely } from 'node:tls'

/** Completes "no engine answers at ADDRESS: …". `ms` bounds each step. */
export async function diagnose(address: string, ms: number): Promise<string> {
  const { protocol, hostname, port, pathname } = new URL(address)
  const host = hostname.replace(/^\[|\]$/g, '')
  const secure = protocol === 'wss:'
  const number = Number(port) || (secure ? 443 : 80)
  try {
    await within(ms, lookup(host))
  } catch {
    return `the host name '${host}' is not known`
  }
  return readFirstLine({ host, port: number, secure, path: pathname, ms })
}

interface Place {
  readonly host: string
  readonly port: number
  readonly secure: boolean
  readonly path: string
  readonly ms: number
}

/** Asks for a WebSocket and looks at the first line of the answer. */
function readFirstLine({ host, port, secure, path, ms }: Place): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  let connected = false
  let text = ''
  const socket = secure ? connectSecurely({ host, port, servername: host }) : connect({ host, port })
  socket.setTimeout(ms, () =>
    resolve(connected ? 'something listens there and says nothing: it is no engine' : silent(ms)),
  )
  socket.on(secure ? 'secureConnect' : 'connect', () => {
    connected = true
    const key = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))))
    const lines = [
      `GET ${path} HTTP/1.1`,
      `Host: ${host}:${port}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${key}`,
    ]
    socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  })
  socket.on('data', chunk => {
    text += chunk.toString('latin1')
    if (text.includes('\n') || text.length > 1000) resolve(explainAnswer(text))
  })
  socket.on('error', error => resolve(explainError(error, secure)))
  socket.on('close', () => resolve('something listens there and hangs up: it is no engine'))
  return promise.finally(() => socket.destroy())
}

function silent(ms: number): string {
  return `the host does not answer within ${ms / 1000} s`
}

function explainError(error: Error & { code?: string }, secure: boolean): string {
  const { code } = error
  if (code === 'ECONNREFUSED') return 'nothing listens there'
  if (code === 'ETIMEDOUT' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH') {
    return `the host is not reached (${code})`
  }
  if (code === 'ECONNRESET') return 'something listens there and hangs up: it is no engine'
  return secure ? `no secure connection (${code ?? error.message}); try ws://` : (code ?? error.message)
}

function explainAnswer(text: string): string {
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1]
  if (status === undefined) return 'what listens there does not speak HTTP: it is no engine'
  if (status === '101') return 'what listens there takes the connection and does not greet: it is no engine'
  if (status === '503') return 'the engine there takes no more workers: it is stopping, or full (HTTP 503)'
  if (status === '401' || status === '403') return `what listens there refuses this command (HTTP ${status})`
  return `a server listens there, but not for workers (HTTP ${status}); an engine has another port for them, mostly 49134`
}

function within<Value>(ms: number, work: Promise<Value>): Promise<Value> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error('time is up')), ms)
  return Promise.race([work, promise]).finally(() => clearTimeout(timer))
}
