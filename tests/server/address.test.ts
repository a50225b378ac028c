import { expect, test } from 'bun:test'
import { explainListenFailure } from '../../src/net/listenError.ts'

/** Bun throws the same for a port in use and for a host name it cannot resolve. */
const thrown = Object.assign(new Error('Failed to start server'), { code: 'EADDRINUSE' })
const codeFor = (host: string) =>
  explainListenFailure(thrown, { listener: 'iii-http', host, port: 3111 }).code

test.each(['0.0.0.0', '192.168.1.7', '::', '::1', 'fe80::1%eth0', '[::1]', 'localhost'])(
  'a port that cannot be had on %s is in use',
  host => expect(codeFor(host)).toBe('port_in_use'),
)

test.each(['no-such-host.example', 'db1', '10.0.0', '1.2.3.4.example'])(
  'a port that cannot be had on %s may also be one of an unknown host',
  host => expect(codeFor(host)).toBe('listen_failed'),
)
