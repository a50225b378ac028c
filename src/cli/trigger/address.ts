/** Where a command finds its engine: `--address` and `--port`, else `III_URL`, else this machine. Pure. */
import { urlHost } from '../../net/loopback.ts'
import { ENGINE_PORT } from '../../protocol/address.ts'
import { usageError } from '../commandError.ts'
import { invalidVariable } from '../environment.ts'

export interface AddressFlags {
  readonly address?: string
  readonly port?: number
}

const FORMS =
  'a host (example.com), a host and a port (example.com:49134) or an address (ws://example.com:49134)'

/** A WebSocket address. `url` is `III_URL`. */
export function engineAddress({ address, port }: AddressFlags, url: string | undefined): string {
  if (address !== undefined) return addressOf(address, port)
  if (port !== undefined || !url) return addressOf('localhost', port)
  const wanted = socketUrl(url)
  if (wanted === undefined) throw invalidVariable('III_URL', url, 'an address like ws://localhost:49134')
  return wanted
}

function addressOf(text: string, port: number | undefined): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    const url = socketUrl(text)
    if (url === undefined) throw notAnAddress(text)
    return port === undefined ? url : withPort(url, port)
  }
  // More than one colon is an IPv6 address, which stands in brackets when a port follows.
  const [, host, ownPort] = /^(\[[^\]]*\]|[^:]*):(\d+)$/.exec(text) ?? [undefined, text, undefined]
  const url = `ws://${urlHost(host!)}:${port ?? ownPort ?? ENGINE_PORT}`
  // `a/b`, `a?b`, `a b`: something else than a host.
  if (/[\s/?#@\\]/.test(text) || text === '' || !URL.canParse(url)) throw notAnAddress(text)
  return url
}

function notAnAddress(text: string): Error {
  return usageError(`'${text}' is not an address`, `--address takes ${FORMS}`)
}

/** `http` is what people copy from a browser: the same engine, spoken to by WebSocket. */
function socketUrl(text: string): string | undefined {
  const url = text.replace(/^http(s?):\/\//i, 'ws$1://')
  return /^wss?:\/\//i.test(url) && URL.canParse(url) ? url : undefined
}

function withPort(address: string, port: number): string {
  const url = new URL(address)
  url.port = String(port)
  return url.href
}
