/** A listener that cannot listen: which one, why, and what to do. */
export class ListenError extends Error {
  override readonly name = 'ListenError'

  constructor(
    readonly code: 'port_in_use' | 'insecure_bind' | 'listen_failed',
    readonly listener: string,
    readonly host: string,
    readonly port: number,
    detail = '',
  ) {
    super(`${listener} cannot listen on ${host}:${port}: ${ListenError.cause(code, detail)}`)
  }

  get fix(): string {
    switch (this.code) {
      case 'port_in_use':
        return `stop the process that holds port ${this.port}, or choose another port for ${this.listener}`
      case 'insecure_bind':
        return `bind ${this.listener} to 127.0.0.1, or say --insecure (III_INSECURE=1, or "insecure: true" on the listener) to open it to everyone who can reach ${this.host}`
      case 'listen_failed':
        return `choose an address of this machine for ${this.listener}`
    }
  }

  static from(error: unknown, listener: string, host: string, port: number): ListenError {
    const { code, message } = error as { code?: string; message?: string }
    return code === 'EADDRINUSE'
      ? new ListenError('port_in_use', listener, host, port)
      : new ListenError('listen_failed', listener, host, port, `${message ?? error}`)
  }

  private static cause(code: ListenError['code'], detail: string): string {
    if (code === 'port_in_use') return 'the port is in use'
    if (code === 'insecure_bind') return 'the address is not loopback and the listener has no authentication'
    return detail
  }
}
