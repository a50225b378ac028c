/** The transport of a built-in worker: one side of a local link. */
import type { InsideTransport } from '../../sdk/typescript/src/transport.ts'
import type { LocalSide } from '../engine/links/local.ts'

export function createLocalTransport(side: LocalSide): InsideTransport {
  let isOver = false
  return {
    engineKeepsDeadlines: true,
    open(receiver) {
      // Asked for before `listen`, so that the receiver hears of the connection before it hears a frame.
      queueMicrotask(() => {
        if (!isOver) receiver.opened()
      })
      side.listen({
        receive: frame => receiver.received(frame),
        problem: problem => receiver.problem(problem),
        drained: () => {},
        ended() {
          isOver = true
          receiver.closed(true)
        },
      })
    },
    send: frame => side.send(frame),
    fanOut: frame => side.fanOut(frame),
    wait: more => side.wait(more),
    close() {
      isOver = true
      side.end('orderly')
    },
  }
}
