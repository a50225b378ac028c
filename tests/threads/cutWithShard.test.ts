/** How connections end whose shard, or acceptor, fails. */
import { expect, test } from 'bun:test'
import { opcodes, openRaw } from '../support/rawWebSocket.ts'
import { within } from '../support/waiting.ts'
import { type Attack, startAttackedEngine } from './attack/engine.ts'

const SHARDS = 2
const behindAcceptor = process.env.III_TEST_ACCEPTOR === 'thread'
/** The thread with all sockets, or that with some. */
const PLACE = behindAcceptor ? SHARDS + 1 : 1
const CONNECTIONS = 16

test.each<Attack>(['throw', 'reject', 'allocate', 'exit'])(
  'they just end after "%s": with a code of the runtime old clients would stay away',
  async attack => {
    await using engine = await startAttackedEngine(SHARDS)
    const port = Number(new URL(engine.url).port)
    const codes: string[] = []
    let ended = 0
    const sockets = await Promise.all(
      Array.from({ length: CONNECTIONS }, async () => {
        const socket = await openRaw(port)
        await socket.nextMessage()
        socket.listen(({ opcode, payload }) => {
          if (opcode === opcodes.close) codes.push(payload.toString('latin1'))
        })
        void socket.over.then(() => ended++)
        return socket
      }),
    )
    const isOver = Promise.race(sockets.map(socket => socket.over))
    await engine.attack(PLACE, attack)
    await within('one of them ends', isOver)
    await engine.stop('SIGKILL')
    await within('all end', Promise.all(sockets.map(socket => socket.over)))
    expect([codes, ended]).toEqual([[], CONNECTIONS])
  },
  30_000,
)
