/** Requests that should be upgrades to WebSocket. */

/** The path of a request target without building a URL object. */
export function pathOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  const query = url.indexOf('?', start)
  return start < 0 ? '/' : url.slice(start, query < 0 ? undefined : query)
}

/** The fault of a request that should have been an upgrade. */
export function upgradeFault(headers: Headers): string | undefined {
  const has = (name: string, token: string): boolean =>
    (headers.get(name) ?? '')
      .toLowerCase()
      .split(',')
      .some(part => part.trim() === token)
  if (!has('connection', 'upgrade'))
    return 'Header "Connection: Upgrade" is missing: this is a WebSocket endpoint.'
  if (!has('upgrade', 'websocket')) return 'Header "Upgrade: websocket" is missing.'
  if (headers.get('sec-websocket-version') !== '13') return 'Header "Sec-WebSocket-Version: 13" is missing.'
  if (!headers.has('sec-websocket-key')) return 'Header "Sec-WebSocket-Key" is missing.'
  return undefined
}
