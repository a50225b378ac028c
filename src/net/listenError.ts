/** A listener that cannot listen: which one, why, and what to do. The command line prints it and finds the culprit. */
import { isAddress, isLoopbackHost } from './loopback.ts'

export type ListenErrorCode = 'port_in_use' | 'insecure_bind' | 'listen_failed'

export interface ListenError extends Error {
  readonly code: ListenErrorCode
  /** Name of the worker that wanted to listen, as in the configuration. */
  readonly listener: string
  readonly host: string
  readonly port: number
  readonly fix: string
}

/** Where someone wanted to listen. */
export interface ListenPlace {
  readonly listener: string
  readonly host: string
  readonly port: number
  /** What else would make it secure: `set …`. */
  readonly remedy?: string
}

const CAUSES: Record<ListenErrorCode, string> = {
  port_in_use: 'the port is in use',
  insecure_bind: 'the address is not loopback and the listener has no authentication',
  listen_failed: 'the address cannot be listened on',
}

function fixOf(code: ListenErrorCode, { listener, host, port, remedy }: ListenPlace): string {
  switch (code) {
    case 'port_in_use':
      return `stop the process that holds port ${port}, or set another \`port\` for ${listener}`
    case 'insecure_bind':
      return remedy !== undefined
        ? `bind ${listener} to 127.0.0.1, ${remedy}, or say --insecure (III_INSECURE=1) to open it to everyone who can reach ${host}`
        : `bind ${listener} to 127.0.0.1, or say --insecure (III_INSECURE=1, or \`insecure: true\` on the listener) to open it to everyone who can reach ${host}`
    case 'listen_failed':
      return `set \`host\` of ${listener} to an address of this machine`
  }
}

export function createListenError(code: ListenErrorCode, place: ListenPlace, detail?: string): ListenError {
  const { listener, host, port } = place
  const cause = detail === undefined ? CAUSES[code] : `${CAUSES[code]} (${detail})`
  const error = new Error(`${listener} cannot listen on ${host}:${port}: ${cause}`)
  return Object.assign(error, { name: 'ListenError', code, listener, host, port, fix: fixOf(code, place) })
}

/** Explains what a server threw when it was started. */
export function explainListenFailure(thrown: unknown, place: ListenPlace): ListenError {
  const { code, message } = thrown as { code?: string; message?: string }
  if (code !== 'EADDRINUSE') return createListenError('listen_failed', place, message ?? String(thrown))
  // Bun says the same of a host name it cannot resolve.
  return isAddress(place.host) || isLoopbackHost(place.host)
    ? createListenError('port_in_use', place)
    : createListenError('listen_failed', place, 'the host name is unknown, or the port is in use')
}
