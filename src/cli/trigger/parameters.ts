/** A function's parameters as a table, from what `engine::functions::info` answers. Pure. */
import { cleanText } from '../../log/clean.ts'
import { isPlainObject } from '../exactJson.ts'
import { table } from '../table.ts'

/** `info` is the answer, whatever it holds: it describes somebody else's function. */
export function describeFunction(info: unknown, functionId: string): string {
  const {
    description,
    worker_name: worker,
    namespace,
    request_schema: schema,
  } = isPlainObject(info) ? info : {}
  const lines = [`Usage: iii trigger ${cleanText(functionId)} [key=value ...]`, '']
  if (typeof description === 'string' && description !== '') lines.push(cleanText(description), '')
  const facts = Object.entries({ worker, namespace }).filter(([, value]) => typeof value === 'string')
  if (facts.length > 0)
    lines.push(facts.map(([name, value]) => `${name}: ${cleanText(String(value))}`).join('   '), '')
  const rows = parameterRows(schema)
  lines.push(
    ...(rows.length === 0 ? ['This function does not describe its parameters.'] : table([HEAD, ...rows])),
  )
  return `${lines.join('\n')}\n`
}

type Row = readonly [name: string, type: string, required: string, description: string]

const HEAD: Row = ['NAME', 'TYPE', 'REQUIRED', 'DESCRIPTION']

function parameterRows(schema: unknown): Row[] {
  if (!isPlainObject(schema) || !isPlainObject(schema.properties)) return []
  const required = Array.isArray(schema.required) ? schema.required : []
  const rows = Object.entries(schema.properties).map(([name, property]): Row => {
    const description =
      isPlainObject(property) && typeof property.description === 'string' ? property.description : ''
    const isRequired = required.includes(name)
    return [cleanText(name), cleanText(typeName(property)), isRequired ? 'yes' : 'no', cleanText(description)]
  })
  return rows.toSorted((one, other) => Number(other[2] === 'yes') - Number(one[2] === 'yes'))
}

function typeName(schema: unknown): string {
  if (!isPlainObject(schema)) return 'any'
  const { type, enum: values, anyOf, oneOf, items, $ref: reference } = schema
  if (Array.isArray(values)) return values.map(value => JSON.stringify(value)).join('|')
  const alternatives = Array.isArray(anyOf) ? anyOf : oneOf
  if (Array.isArray(alternatives)) return alternatives.map(typeName).join('|')
  if (type === 'array') return items === undefined ? 'array' : `${typeName(items)}[]`
  if (Array.isArray(type)) return type.join('|')
  if (typeof type === 'string') return type
  return typeof reference === 'string' ? (reference.split('/').at(-1) ?? 'any') : 'any'
}
