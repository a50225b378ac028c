/** The transport of a built-in worker: one side of a local link. */
import type { Transport } from '../../sdk/typescript/src/transport.ts'
import type { LocalSide } from '../engine/links/local.ts'

export function createLocalTransport(side: LocalSide): Transport {
  return {
    engineKeepsDeadlines: true,
    open(receiver) {
      side.listen({
        receive: frame => receiver.received(frame),
        problem: () => {},
        drained: () => {},
        ended: () => receiver.closed(true),
      })
      queueMicrotask(() => receiver.opened())
    },
    send: frame => side.send(frame),
    close: () => side.end('orderly'),
  }
}
