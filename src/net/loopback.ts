/** Addresses and names that only this machine can reach. */

const LOOPBACK_NAME = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\]|::1)$/i

export function isLoopbackHost(host: string): boolean {
  return LOOPBACK_NAME.test(host)
}

/** Whether a host is an address, not a name. `isIP` of `node:net` says the same and costs every start 7 ms. */
export function isAddress(host: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(host) || host.includes(':')
}

/** A host as it stands in a URL: IPv6 in brackets. */
export function urlHost(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}
