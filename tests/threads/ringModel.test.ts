/** The ring's own code, run in every order that the steps of a writer and a reader can happen in. */
import { describe, expect, test } from 'bun:test'
import { createRingReader, createRingWriter, FULL, WAITING } from '../../src/threads/ring.ts'
import { HEAD, READER_BELL, type RingMemory, TAIL, WRITER_BELL } from '../../src/threads/ringMemory.ts'
import {
  type Exploration,
  explore,
  type ModelMemory,
  type Program,
  type Rules,
  Violation,
} from './interleavings.ts'

/** Two records of 24 bytes and their headers fill it. */
const CAPACITY = 64
const TWO_SLOTS = 24

/** The content of the record with this number: its number in every word, so that a mixture is seen. */
function content(number: number, length: number): Uint8Array {
  return new Uint8Array(new Int32Array(length / 4).fill(number * 1000 + length).buffer)
}

/** Pushes one record per length, sleeping when the ring is full. */
function writes(lengths: readonly number[], seenBy = (memory: ModelMemory): RingMemory => memory): Program {
  return memory => {
    let number = 0
    const writer = createRingWriter({
      ...seenBy(memory),
      copyIn(source, from, to, at) {
        memory.checkpoint(`${number} copies from ${from}`)
        memory.copyIn(source, from, to, at)
      },
    })
    for (const length of lengths) {
      const bytes = content(number, length)
      for (let at = 0; ; ) {
        memory.checkpoint(`${number} from ${at}`)
        const reached = writer.push(number, bytes, at, length)
        if (reached === length) break
        if (reached !== FULL) at = reached
        if (writer.mayWait()) memory.sleep(WRITER_BELL, WAITING)
      }
      number++
    }
  }
}

function checkWords(number: number, length: number, words: ArrayLike<number>): void {
  for (let i = 0; i < words.length; i++) {
    if (words[i] !== number * 1000 + length)
      throw new Violation(`record ${number} is torn: ${words[i]} in word ${i}`)
  }
}

/** Drains until all records came, sleeping when the ring is empty; each must be the next one and whole. */
function reads(lengths: readonly number[], seenBy = (memory: ModelMemory): RingMemory => memory): Program {
  return memory => {
    let next = 0
    const reader = createRingReader({
      ...seenBy(memory),
      copyOut(at, length, target, to) {
        memory.copyOut(at, length, target, to)
        checkWords(next, lengths[next]!, new Int32Array(target.slice(to, to + length).buffer))
        memory.checkpoint(`${next} has ${to + length}`)
      },
    })
    const onRecord = (tag: number, bytes: Uint8Array, start: number, end: number): void => {
      if (tag !== next) throw new Violation(`record ${tag} came instead of ${next}`)
      const length = lengths[tag]!
      if (end - start !== length) throw new Violation(`record ${tag} has ${end - start} bytes, not ${length}`)
      // A record that was put together lies in the reader's own memory, the others in the ring.
      const words = Array.from({ length: bytes.length > 0 ? 0 : length / 4 }, (_, i) =>
        memory.getWord(start + 4 * i),
      )
      checkWords(tag, length, words)
      next++
      memory.checkpoint(`${next} in a batch`)
    }
    while (next < lengths.length) {
      memory.checkpoint(`${next}`)
      reader.drain(onRecord)
      if (next < lengths.length && reader.mayWait()) memory.sleep(READER_BELL, WAITING)
    }
  }
}

function run(lengths: readonly number[], { start = 0, rules = 'sequential' as Rules } = {}): Exploration {
  return explore({ capacity: CAPACITY, start, rules }, [writes(lengths), reads(lengths)])
}

const slots = (count: number): number[] => Array(count).fill(TWO_SLOTS)

describe('in every order of steps, a ring of two slots delivers each record once, whole, and nobody sleeps for ever', () => {
  test.each([
    ['one record', [TWO_SLOTS]],
    ['three records, so that the writer must wait for the reader', slots(3)],
    ['five records, twice round', slots(5)],
    ['records that leave gaps at the end', [8, TWO_SLOTS, 16, TWO_SLOTS]],
    ['records without content', [0, 0, 0, TWO_SLOTS, 0, TWO_SLOTS]],
    ['a record in four parts', [28]],
    ['a record in parts after another and before another', [16, 32, 8]],
  ])(
    '%s',
    (_, lengths) => {
      const result = run(lengths)
      expect(result).toMatchObject({ failures: [], trace: [] })
      expect(result.ends).toBeGreaterThan(0)
    },
    30_000,
  )

  test.each([
    ['becoming negative', 2 ** 31 - 96],
    ['overflowing', -96],
  ])('with counters %s on the way', (_, start) => {
    const result = run([...slots(4), 16, TWO_SLOTS], { start })
    expect(result).toMatchObject({ failures: [], trace: [] })
    expect(result.ends).toBeGreaterThan(0)
  })
})

describe('the search finds what would go wrong', () => {
  test('if a store could take effect after a later load, a wake-up would be lost', () => {
    expect(run(slots(2), { rules: 'delayed' }).failures).toEqual(['stuck: writer done, reader asleep'])
  })

  test('if stores could overtake each other, a record would be read before it is written', () => {
    expect(run([8], { rules: 'unordered' }).failures.join()).toMatch(/bytes, not|torn/)
  })

  test('if the writer did not look at what the reader has done with, it would overwrite', () => {
    const careless = (memory: ModelMemory): RingMemory => ({
      ...memory,
      load: word => memory.load(word === TAIL ? HEAD : word),
    })
    const { failures } = explore({ capacity: CAPACITY, start: 0, rules: 'sequential' }, [
      writes(slots(3), careless),
      reads(slots(3)),
    ])
    expect(failures.join()).toContain('race: byte 0 is written while the other side reads it')
  })

  const deaf = (memory: ModelMemory): RingMemory => ({ ...memory, notify() {} })

  test('if the writer never notified, the reader would sleep for ever', () => {
    const programs: [Program, Program] = [writes(slots(1), deaf), reads(slots(1))]
    const { failures } = explore({ capacity: CAPACITY, start: 0, rules: 'sequential' }, programs)
    expect(failures).toEqual(['stuck: writer done, reader asleep'])
  })

  test('if the reader never notified, the writer would sleep for ever', () => {
    const programs: [Program, Program] = [writes(slots(3)), reads(slots(3), deaf)]
    const { failures } = explore({ capacity: CAPACITY, start: 0, rules: 'sequential' }, programs)
    expect(failures).toContain('stuck: writer asleep, reader asleep')
  })
})
