/** Notes between threads: cut to a size that every ring takes, whatever is in them. */
import { describe, expect, test } from 'bun:test'
import type { Command } from '../../src/engine/directory/command.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { LinkReceiver } from '../../src/protocol/link.ts'
import { createTurn } from '../../src/server/turn.ts'
import { cutIntoNotes, packNote } from '../../src/threads/notes.ts'
import { createRingLink } from '../../src/threads/ringLink.ts'
import { createRingBuffer } from '../../src/threads/ringMemory.ts'
import { createVirtualClock } from '../support/fakes.ts'
import { until } from '../support/waiting.ts'

function registration(description: string): Command {
  const rest = { requestFormat: undefined, responseFormat: undefined, metadata: undefined }
  const definition = { id: 'f', namespace: 'default', description, ...rest, invocation: undefined }
  return { command: 'registerFunction', workerId: 'w', definition }
}

describe('what notes hold', () => {
  test('is cut by its bytes, not its characters; no part is missing or moved', () => {
    // 300 kB each, in 100 000 characters.
    const commands = Array.from({ length: 20 }, (_, index) => registration(`${index}${'漢'.repeat(100_000)}`))
    const notes = [...cutIntoNotes(commands)]
    expect(notes.flat()).toEqual(commands)
    expect(notes.length).toBeLessThan(commands.length)
    for (const part of notes) {
      expect(packNote({ note: 'commands', commands: part }).length).toBeLessThanOrEqual(limits.noteBytes)
    }
  })

  test('may be one thing that is larger; then it is alone', () => {
    const large = registration('x'.repeat(limits.noteBytes))
    const small = registration('x')
    const notes = [...cutIntoNotes([small, small, large, small, small])]
    expect(notes).toEqual([[small, small], [large], [small, small]])
  })

  test('may be nothing', () => {
    expect([...cutIntoNotes([])]).toEqual([[]])
  })
})

test('a note larger than a record arrives whole, between those before and behind it', async () => {
  const [one, other] = [createRingBuffer(4096), createRingBuffer(4096)]
  const parts = {
    clock: createVirtualClock(),
    turn: createTurn(),
    limits: { ...limits, ringRecordBytes: 1000 },
  }
  const near = createRingLink({ incoming: one, outgoing: other, ...parts })
  const far = createRingLink({ incoming: other, outgoing: one, ...parts })
  const receiver: LinkReceiver = { receive() {}, problem() {}, drained() {}, ended() {} }
  const came: string[] = []
  far.listen(receiver, { note: bytes => came.push(new TextDecoder().decode(bytes)) })
  const notes = ['before', 'a'.repeat(1000), 'b'.repeat(1001), 'c'.repeat(10_500), 'behind']
  for (const note of notes) near.note(new TextEncoder().encode(note))
  await until('all notes', () => came.length === notes.length)
  expect(came).toEqual(notes)
  near.drop()
  far.drop()
})
