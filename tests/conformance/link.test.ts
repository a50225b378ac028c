/** What `src/protocol/link.ts` promises, held against every kind of link and in both directions. */
import { afterAll, describe, expect, test } from 'bun:test'
import { type Frame, type InvokeFrame, newCall } from '../../src/protocol/frames.ts'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { LinkReceiver } from '../../src/protocol/link.ts'
import { until } from '../support/waiting.ts'
import { kinds, type LinkSide } from './rows.ts'

function frameNumber(number: number, data = `{"n":${number}}`): InvokeFrame {
  return newCall(`f${number}`, asJsonText(data))
}

/** Writes down everything that happens at one end. */
interface Witness extends LinkReceiver {
  readonly frames: Frame[]
  readonly names: () => string[]
  drains: number
  ends: number
  problems: number
  onFrame: (frame: Frame) => void
}

function witness(end: LinkSide): Witness {
  const seen: Witness = {
    frames: [],
    names: () => seen.frames.map(frame => (frame.type === 'invokefunction' ? frame.functionId : frame.type)),
    drains: 0,
    ends: 0,
    problems: 0,
    onFrame: () => {},
    receive(frame) {
      seen.frames.push(frame)
      seen.onFrame(frame)
    },
    problem: () => void seen.problems++,
    drained: () => void seen.drains++,
    ended: () => void seen.ends++,
  }
  end.listen(seen)
  return seen
}

const namesUpTo = (count: number): string[] => Array.from({ length: count }, (_, index) => `f${index}`)

/** A turn of the event loop in which whatever was sent has time to arrive. */
const aMoment = (): Promise<void> => Bun.sleep(30)

describe.each(kinds.map(kind => [kind.name, kind] as const))('%s', (_, kind) => {
  afterAll(() => kind.close())

  describe.each(['engine to worker', 'worker to engine'] as const)('%s', direction => {
    async function open() {
      const { engine, worker } = await kind.open()
      const [from, to] = direction === 'engine to worker' ? [engine, worker] : [worker, engine]
      return { sender: from.link, receiver: to.link, sent: witness(from), seen: witness(to) }
    }

    test('frames arrive unchanged', async () => {
      const { sender, seen } = await open()
      const data = '{"big":9007199254740993,"one":1.0,"s":"\\u00fc ü \\ud83d\\ude00","b":1,"a":[{},[]]}'
      sender.send(frameNumber(1, data))
      sender.send({ type: 'unregistertrigger', id: 'T "quoted"\n', triggerType: 'http' })
      await until('both', () => seen.frames.length === 2)
      expect(seen.frames).toEqual([
        frameNumber(1, data),
        { type: 'unregistertrigger', id: 'T "quoted"\n', triggerType: 'http' },
      ])
    })

    test('ten thousand frames arrive in order, none lost, none twice', async () => {
      const { sender, seen } = await open()
      const count = 10_000
      for (let number = 0; number < count; number++) {
        sender.send(frameNumber(number))
        if (number % 1000 === 0) await Promise.resolve()
      }
      await until('all frames', () => seen.frames.length >= count)
      await aMoment()
      expect(seen.names()).toEqual(namesUpTo(count))
    })

    test('nothing is delivered from within send', async () => {
      const { sender, seen } = await open()
      let isSending = false
      let deliveredWithin = 0
      seen.onFrame = () => {
        if (isSending) deliveredWithin++
      }
      for (let number = 0; number < 100; number++) {
        isSending = true
        sender.send(frameNumber(number))
        isSending = false
      }
      expect(seen.frames).toEqual([])
      await until('all frames', () => seen.frames.length === 100)
      expect(deliveredWithin).toBe(0)
    })

    test('what a receiver sends while it receives arrives in order, too', async () => {
      const { sender, receiver, sent, seen } = await open()
      seen.onFrame = frame => receiver.send(frame)
      const count = 1000
      for (let number = 0; number < count; number++) sender.send(frameNumber(number))
      await until('all frames back', () => sent.frames.length === count)
      expect(sent.names()).toEqual(namesUpTo(count))
    })

    test('a frame of 60 MiB arrives whole, and those around it keep their places', async () => {
      const { sender, seen } = await open()
      const data = `"${'é'.repeat(30 * 1024 * 1024)}"`
      sender.send(frameNumber(0))
      sender.send(frameNumber(1, data))
      sender.send(frameNumber(2))
      await until('all frames', () => seen.frames.length === 3)
      expect(seen.names()).toEqual(namesUpTo(3))
      expect((seen.frames[1] as InvokeFrame).data === data).toBe(true)
    }, 30_000)

    test('after pause no frame is delivered until resume, also when it had come already', async () => {
      const { sender, receiver, seen } = await open()
      seen.onFrame = () => {
        if (seen.frames.length === 3) receiver.pause()
      }
      for (let number = 0; number < 10; number++) sender.send(frameNumber(number))
      await until('three frames', () => seen.frames.length >= 3)
      await aMoment()
      for (let number = 10; number < 20; number++) sender.send(frameNumber(number))
      await aMoment()
      expect(seen.names()).toEqual(namesUpTo(3))
      receiver.resume()
      await until('the rest', () => seen.frames.length === 20)
      expect(seen.names()).toEqual(namesUpTo(20))
    })

    test('pause and resume in one go, many times over, loses nothing', async () => {
      const { sender, receiver, seen } = await open()
      seen.onFrame = () => {
        if (seen.frames.length % 7 !== 0) return
        receiver.pause()
        setTimeout(() => receiver.resume(), seen.frames.length % 3)
      }
      const count = 300
      for (let number = 0; number < count; number++) sender.send(frameNumber(number))
      await until('all frames', () => seen.frames.length === count)
      expect(seen.names()).toEqual(namesUpTo(count))
    })

    test('the backlog grows while the far side is paused, and the sender hears when it is small again', async () => {
      const { sender, receiver, sent, seen } = await open()
      receiver.pause()
      await aMoment()
      const data = `"${'x'.repeat(64 * 1024)}"`
      let number = 0
      await until('a full backlog', async () => {
        for (let count = 0; count < 16; count++) sender.send(frameNumber(number++, data))
        await aMoment()
        return sender.backlog() >= limits.outboundHighWaterBytes
      })
      expect(seen.frames).toEqual([])
      expect(sent.drains).toBe(0)
      receiver.resume()
      await until('a drain', () => sent.drains > 0)
      await until('all frames', () => seen.frames.length === number)
      await until('no backlog', () => sender.backlog() === 0)
      expect(seen.names()).toEqual(namesUpTo(number))
      expect(sent.drains).toBe(1)
    }, 30_000)

    test('a backlog that leaves at once is reported as drained, too', async () => {
      const { sender, sent, seen } = await open()
      const data = `"${'x'.repeat(64 * 1024)}"`
      let number = 0
      while (sender.backlog() < limits.outboundHighWaterBytes) sender.send(frameNumber(number++, data))
      await until('a drain', () => sent.drains > 0)
      await until('all frames', () => seen.frames.length === number)
    })

    test('a sender that never fills its link hears of no drain', async () => {
      const { sender, sent, seen } = await open()
      for (let number = 0; number < 100; number++) sender.send(frameNumber(number))
      await until('all frames', () => seen.frames.length === 100)
      expect(sent.drains).toBe(0)
      expect(sender.backlog()).toBe(0)
    })

    test('an orderly end is heard of once, after every frame that was sent before it', async () => {
      const { sender, sent, seen } = await open()
      const order: string[] = []
      seen.onFrame = () => void order.push('frame')
      seen.ended = () => void order.push('ended')
      for (let number = 0; number < 500; number++) sender.send(frameNumber(number))
      sender.end('orderly')
      await until('the end', () => order.includes('ended'))
      await until('its own end', () => sent.ends > 0)
      await aMoment()
      expect(order).toEqual([...Array.from({ length: 500 }, () => 'frame'), 'ended'])
      expect(sent.ends).toBe(1)
    })

    test('an orderly end waits for what is blocked', async () => {
      const { sender, receiver, seen } = await open()
      receiver.pause()
      const data = `"${'x'.repeat(1024 * 1024)}"`
      for (let number = 0; number < 12; number++) sender.send(frameNumber(number, data))
      await aMoment()
      sender.end('orderly')
      await aMoment()
      expect(seen.ends).toBe(0)
      receiver.resume()
      await until('the end', () => seen.ends === 1)
      expect(seen.names()).toEqual(namesUpTo(12))
    }, 30_000)

    test('frames that had come before an orderly end are delivered after a pause, then the end', async () => {
      const { sender, receiver, seen } = await open()
      seen.onFrame = () => {
        if (seen.frames.length === 1) receiver.pause()
      }
      for (let number = 0; number < 5; number++) sender.send(frameNumber(number))
      sender.end('orderly')
      await until('one frame', () => seen.frames.length === 1)
      await aMoment()
      expect(seen.ends).toBe(0)
      receiver.resume()
      await until('the end', () => seen.ends === 1)
      expect(seen.names()).toEqual(namesUpTo(5))
    })

    test('a cut is heard of once, on both sides', async () => {
      const { sender, sent, seen } = await open()
      sender.send(frameNumber(0))
      await until('a frame', () => seen.frames.length === 1)
      sender.end('cut')
      await until('the end', () => seen.ends > 0 && sent.ends > 0)
      await aMoment()
      expect([seen.ends, sent.ends]).toEqual([1, 1])
    })

    test('both sides may end it at the same time', async () => {
      const { sender, receiver, sent, seen } = await open()
      sender.end('orderly')
      receiver.end('cut')
      await until('the end', () => seen.ends > 0 && sent.ends > 0)
      await aMoment()
      expect([seen.ends, sent.ends]).toEqual([1, 1])
    })

    test.each(['orderly', 'cut'] as const)(
      'after an %s end nothing arrives and nothing breaks',
      async how => {
        const { sender, receiver, sent, seen } = await open()
        sender.end(how)
        sender.send(frameNumber(0))
        sender.end('orderly')
        sender.end('cut')
        sender.pause()
        sender.resume()
        await until('the end', () => seen.ends > 0)
        receiver.send(frameNumber(1))
        receiver.pause()
        receiver.resume()
        receiver.end('orderly')
        await aMoment()
        expect(seen.frames).toEqual([])
        expect(sent.frames).toEqual([])
        expect(sender.backlog()).toBe(0)
        expect(seen.ends).toBe(1)
      },
    )

    test('a receiver may end the link while it receives; it gets nothing more', async () => {
      const { sender, receiver, sent, seen } = await open()
      seen.onFrame = () => {
        if (seen.frames.length === 3) receiver.end('cut')
      }
      for (let number = 0; number < 10; number++) sender.send(frameNumber(number))
      await until('the end', () => sent.ends === 1 && seen.ends === 1)
      expect(seen.names()).toEqual(namesUpTo(3))
    })

    test('the end is not told from within send or end', async () => {
      const { sender, sent } = await open()
      sender.end('cut')
      expect(sent.ends).toBe(0)
      await until('the end', () => sent.ends === 1)
    })
  })
})
