/** `engine::status`: how the engine is, thread by thread. */
import { z } from 'zod'
import { readInput } from '../zodInput.ts'
import type { Catalogue } from './catalogue.ts'
import { snakeCase } from './snakeCase.ts'

export const STATUS = 'engine::status'

export const statusInput = z.object({})

export async function engineStatus(catalogue: Catalogue, input: unknown): Promise<unknown> {
  readInput(STATUS, statusInput, input)
  return snakeCase(await catalogue.status())
}
