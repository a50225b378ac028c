import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createHistogram, median } from '../../bench/histogram.ts'

/** The definition, without any trick: the smallest value that a share `q` of all values does not exceed. */
function nearestRank(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1]!
}

function filled(values: readonly number[]) {
  const histogram = createHistogram()
  for (const value of values) histogram.record(value)
  return histogram
}

describe('a histogram', () => {
  test('gives quantiles within 0.4 % of those of the sorted values, or within its step of 0.1 µs', () => {
    const durations = fc.array(fc.double({ min: 0, max: 400_000, noNaN: true }), {
      minLength: 1,
      maxLength: 300,
    })
    // Most durations are short; a uniform draw would hardly ever test the buckets they fall into.
    const short = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 300 })
    fc.assert(
      fc.property(fc.oneof(durations, short), fc.double({ min: 0, max: 1, noNaN: true }), (values, q) => {
        const exact = nearestRank(values, q)
        expect(Math.abs(filled(values).quantile(q) - exact)).toBeLessThanOrEqual(
          Math.max(0.0001, exact * 0.004),
        )
      }),
    )
  })

  test('is exact to 0.1 µs where calls alone are measured', () => {
    expect(filled([0.0512]).quantile(0.5)).toBeCloseTo(0.0512, 3)
    expect(filled([0.0001, 0.0002, 0.0003]).quantile(0.5)).toBeCloseTo(0.0002, 10)
  })

  test('tells the 99th percentile from the maximum', () => {
    const values = Array.from({ length: 100 }, (_, at) => at + 1)
    expect(filled(values).quantile(0.99)).toBeCloseTo(99, 0)
    expect(filled(values).quantile(1)).toBeCloseTo(100, 0)
  })

  test('holds what is outside of its range at the ends', () => {
    expect(filled([-1]).quantile(0.5)).toBe(0)
    expect(filled([1e9]).quantile(0.5)).toBeCloseTo(429_000, -4)
  })

  test('has no quantile while it is empty, and is empty after it was cleared', () => {
    const histogram = filled([1, 2])
    expect(histogram.count()).toBe(2)
    histogram.clear()
    expect(histogram.count()).toBe(0)
    expect(histogram.quantile(0.5)).toBeNaN()
  })

  test('is the same after it went through JSON', () => {
    const histogram = filled([0.01, 0.5, 0.5, 12, 3000])
    const copy = createHistogram(JSON.parse(JSON.stringify(histogram.dump())))
    expect(copy.count()).toBe(5)
    for (const q of [0, 0.2, 0.5, 0.8, 1]) expect(copy.quantile(q)).toBe(histogram.quantile(q))
  })
})

describe('the median', () => {
  test('is the value in the middle, whatever the order', () => {
    expect(median([9, 1, 5])).toBe(5)
  })

  test('of an even number of values lies between the two in the middle', () => {
    expect(median([4, 1, 2, 100])).toBe(3)
  })

  test('of nothing is not a number', () => {
    expect(median([])).toBeNaN()
  })
})
