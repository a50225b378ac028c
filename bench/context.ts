/** What a suite gets to work with. */
import type { MeasureInfo } from './catalogue.ts'

export interface BenchOptions {
  /** Length of one timed run. */
  readonly seconds: number
  /** Each contestant runs this often, in turn; the median counts. */
  readonly rounds: number
  /** Levels of calls in flight. */
  readonly inFlight: readonly number[]
  /** Calls of the `lost` suite. */
  readonly calls: number
  /** Connections of the \`idle\` suite. */
  readonly workers: number
  /** Messages that wait, of the `queue` suite. */
  readonly messages: number
  /** Keys of the `keys` suite. */
  readonly keys: number
  /** How often a start is measured. */
  readonly starts: number
  /** Entry file of the engine. */
  readonly engine: string
}

export interface BenchContext {
  readonly options: BenchOptions
  /** Progress for the person who waits. */
  say(text: string): void
  /** All measures of this run's levels. */
  readonly infos: readonly MeasureInfo[]
  /** Whether a measure was asked for; a suite need not do what nobody wants to know. */
  wanted(measure: string): boolean
}

/** Values by measure name, in the unit of the catalogue. A measure that could not be taken is absent. */
export type Values = Record<string, number>

export type Suite = (context: BenchContext) => Promise<Values>
