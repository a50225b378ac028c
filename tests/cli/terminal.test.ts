import { expect, test } from 'bun:test'
import { createErrorOutput, systemTerminal } from '../../src/cli/terminal.ts'
import { limits } from '../../src/protocol/limits.ts'

/** A stream whose reader takes a text when the test says so. */
function createSlowStream() {
  const texts: string[] = []
  const waiting: (() => void)[] = []
  return {
    texts,
    write(text: string, taken: () => void) {
      texts.push(text)
      waiting.push(taken)
      return false
    },
    read() {
      for (const taken of waiting.splice(0)) taken()
    },
  }
}

test('lines nobody reads are left out beyond a bound, and the reader hears how many', () => {
  const stream = createSlowStream()
  const write = createErrorOutput(stream as unknown as NodeJS.WriteStream)
  const line = `${'x'.repeat(1023)}\n`
  const fit = limits.unreadLogBytes / line.length
  for (let i = 0; i < fit + 100; i++) write(line)
  expect(stream.texts).toHaveLength(fit)
  stream.read()
  expect(stream.texts.slice(fit)).toEqual(['note: 100 lines are missing here: nobody read the output\n'])
  stream.read()
  write(line)
  expect(stream.texts.at(-1)).toBe(line)
})

test('a line longer than the bound is written when nothing else waits', () => {
  const stream = createSlowStream()
  const long = 'x'.repeat(limits.unreadLogBytes + 1)
  createErrorOutput(stream as unknown as NodeJS.WriteStream)(long)
  expect(stream.texts).toEqual([long])
})

test('the streams of the process are made when they are needed, not before', () => {
  const made: string[] = []
  const streams = (['stdout', 'stderr'] as const).map(name => {
    const descriptor = Object.getOwnPropertyDescriptor(process, name)!
    const stream = process[name]
    const get = () => {
      made.push(name)
      return stream
    }
    Object.defineProperty(process, name, { configurable: true, get })
    return () => Object.defineProperty(process, name, descriptor)
  })
  try {
    const terminal = systemTerminal()
    expect(made).toEqual([])
    const { human } = terminal
    expect(made).toEqual(['stderr'])
    expect(human).toBe(process.stderr.isTTY === true)
  } finally {
    for (const restore of streams) restore()
  }
})
