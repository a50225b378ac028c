import { describe, expect, test } from 'bun:test'
import { catalogue, type MeasureInfo, selectMeasures } from '../../bench/catalogue.ts'
import { microNames } from '../../bench/suites/micro.ts'
import { jsonLines, measureTable, toMeasures } from '../../bench/table.ts'

const infos = catalogue([1, 256])
const names = infos.map(({ name }) => name)

describe('the catalogue', () => {
  test('names each measure once, in kebab case', () => {
    expect(new Set(names).size).toBe(names.length)
    for (const name of names) expect(name).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)+$/)
  })

  test('compares like with like: a peer exists and has the same unit', () => {
    for (const { peer, unit } of infos) {
      if (peer !== undefined) expect(infos.find(({ name }) => name === peer)?.unit).toBe(unit)
    }
  })

  test('knows every step that is timed on its own', () => {
    expect(names.filter(name => name.startsWith('micro-')).sort()).toEqual(
      microNames.map(name => `micro-${name}`).sort(),
    )
  })

  test('is explained: the README names every measure, or its family with a star', async () => {
    const readme = await Bun.file(new URL('../../bench/README.md', import.meta.url)).text()
    const patterns = [...readme.matchAll(/`([a-zA-Z0-9-]+\*?)`/g)].map(([, pattern]) => pattern!)
    const explained = (name: string): boolean =>
      patterns.some(
        pattern => pattern === name || (pattern.endsWith('-*') && name.startsWith(pattern.slice(0, -1))),
      )
    expect(
      catalogue([7])
        .map(({ name }) => name.replace('-7-', '-N-'))
        .filter(name => !explained(name)),
    ).toEqual([])
  })
})

describe('a selection', () => {
  const select = (words: string[], peers = true): string[] => [...selectMeasures(infos, words, peers)].sort()

  test('without words is everything', () => {
    expect(select([])).toEqual([...names].sort())
  })

  test('takes a word as the first parts of a name, never as part of a part', () => {
    expect(select(['lost'])).toEqual(names.filter(name => name.startsWith('lost-')).sort())
    expect(select(['calls-2'])).toEqual([])
  })

  test('brings along what a measure is compared with, in both directions', () => {
    expect(select(['calls-256-p50'])).toEqual(['calls-256-p50', 'calls-same-shard-256-p50', 'nats-256-p50'])
    expect(select(['nats-256-p50'])).toEqual(['calls-256-p50', 'calls-msgpack-256-p50', 'nats-256-p50'])
  })

  test('without peers is only what is named', () => {
    expect(select(['calls-256-p50'], false)).toEqual(['calls-256-p50'])
  })
})

describe('rows', () => {
  const info = (name: string, peer?: string): MeasureInfo => ({
    name,
    unit: 'µs',
    better: 'less',
    what: '',
    ...(peer === undefined ? {} : { peer }),
  })

  test('have value, unit, peer and ratio', () => {
    expect(toMeasures([info('a', 'b'), info('b')], { a: 30, b: 20 })).toEqual([
      { name: 'a', value: 30, unit: 'µs', peer: 'b', ratio: 1.5 },
      { name: 'b', value: 20, unit: 'µs' },
    ])
  })

  test('are left out when there is no figure, and so is the comparison with a missing peer', () => {
    expect(toMeasures([info('a', 'b'), info('b'), info('c')], { a: 1, b: Number.NaN })).toEqual([
      { name: 'a', value: 1, unit: 'µs' },
    ])
  })

  test('show no ratio to zero', () => {
    expect(toMeasures([info('a', 'b'), info('b')], { a: 1, b: 0 })[0]).toEqual({
      name: 'a',
      value: 1,
      unit: 'µs',
    })
  })

  test('are rounded to what the figures can carry', () => {
    const value = (number: number) => toMeasures([info('a')], { a: number })[0]!.value
    expect(value(123_456.7)).toBe(123_457)
    expect(value(66.66666)).toBe(66.67)
    expect(value(0.012345678)).toBe(0.01235)
    expect(value(0)).toBe(0)
  })

  test('as JSON are one object per line', () => {
    const lines = jsonLines(toMeasures([info('a', 'b'), info('b')], { a: 30, b: 20 })).split('\n')
    expect(lines.map(line => JSON.parse(line).name)).toEqual(['a', 'b'])
  })

  test('as a table stand in columns of the same width, the value of the peer beside its name', () => {
    const table = measureTable(toMeasures([info('a', 'b'), info('b')], { a: 30_000, b: 20 }))
    expect(table.split('\n')).toEqual([
      '| name |  value | unit | peer | ratio |',
      '|------|-------:|------|------|------:|',
      '| a    | 30,000 | µs   | b 20 |  1500 |',
      '| b    |     20 | µs   |      |       |',
    ])
  })
})
