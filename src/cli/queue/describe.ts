/** Queues and their messages as people read them. Pure; times are milliseconds since 1970. */
import { cleanText } from '../../log/clean.ts'
import { duration, listIn, memberOf, numberIn, orUnknown, textIn, UNKNOWN } from '../reading.ts'
import { type Cell, type Colour, type Row, table } from '../table.ts'

const QUEUES: Row = [
  'QUEUE',
  'KIND',
  'STATE',
  'OLDEST',
  'READY',
  'DELAYED',
  'LEASED',
  'BEHIND',
  'DEAD',
  'CONSUMERS',
]
const FIRST_NUMBER = 3
const MESSAGES: Row = ['ID', 'REASON', 'ATTEMPT', 'AGE', 'DUE', 'PRIORITY', 'GROUP', 'FUNCTION', 'DATA']
const PRIORITY = MESSAGES.indexOf('PRIORITY')
const DEAD: Row = ['ID', 'DIED', 'ATTEMPTS', 'ERROR', 'DATA']
/** Of data and errors in a table. */
const MOST_CHARACTERS = 60

const COLOUR_OF: Readonly<Record<string, Colour>> = {
  ready: 'green',
  leased: 'cyan',
  ending: 'cyan',
  backing_off: 'yellow',
  paused: 'yellow',
  no_worker: 'red',
  dead: 'red',
}

const lines = (rows: readonly string[]): string => `${rows.join('\n')}\n`

function shortened(text: string): string {
  const clean = cleanText(text.replaceAll('\n', ' '))
  return clean.length <= MOST_CHARACTERS ? clean : `${clean.slice(0, MOST_CHARACTERS - 1)}…`
}

/** Of a time since 1970 in milliseconds. */
const age = (value: unknown, name: string, nowMs: number): string =>
  orUnknown(numberIn(value, name), ms => duration(Math.max(0, nowMs - ms)))

const coloured = (text: string): Cell => {
  const colour = COLOUR_OF[text]
  return colour === undefined ? text : { text, colour }
}

const dataOf = (row: unknown, name: string): string => {
  const data = memberOf(row, name)
  return data === undefined ? UNKNOWN : shortened(JSON.stringify(data))
}

/** The answer of `queue::list`. */
export function describeQueues(answer: unknown, colours: boolean): string {
  const queues = listIn(answer, 'queues')
  if (queues.length === 0) return lines(['There are no queues.'])
  const rows = queues.map((queue): Row => {
    const count = (name: string): string => orUnknown(numberIn(queue, name), String)
    const dead = count('dlq_depth')
    return [
      textIn(queue, 'queue'),
      textIn(queue, 'kind'),
      memberOf(queue, 'paused') === true ? coloured('paused') : 'open',
      orUnknown(numberIn(queue, 'oldest_ms'), duration),
      count('ready'),
      count('delayed'),
      count('leased'),
      count('behind'),
      dead === '0' || dead === UNKNOWN ? dead : { text: dead, colour: 'red' },
      count('functions'),
    ]
  })
  return lines(table([QUEUES, ...rows], { right: FIRST_NUMBER, colours }))
}

/** The answer of `queue::messages`. Priorities are shown if they are not all the same. */
export function describeMessages(answer: unknown, nowMs: number, colours: boolean): string {
  const messages = listIn(answer, 'messages')
  if (messages.length === 0) return lines(['There are no such messages.'])
  const rows = messages.map((message): Row => {
    const due = numberIn(message, 'due_at')
    return [
      textIn(message, 'id'),
      coloured(textIn(message, 'reason')),
      textIn(message, 'attempt'),
      age(message, 'enqueued_at', nowMs),
      due === undefined ? UNKNOWN : due <= nowMs ? 'now' : `in ${duration(due - nowMs)}`,
      textIn(message, 'priority'),
      textIn(message, 'group'),
      textIn(message, 'function_id'),
      dataOf(message, 'data'),
    ]
  })
  const all = [MESSAGES, ...rows]
  const isOne = new Set(messages.map(message => numberIn(message, 'priority'))).size === 1
  return lines(table(isOne ? all.map(row => row.toSpliced(PRIORITY, 1)) : all, { colours }))
}

/** The answer of `engine::queue::dlq_messages`, which has seconds. */
export function describeDead(answer: unknown, nowMs: number, colours: boolean): string {
  if (!Array.isArray(answer) || answer.length === 0) return lines(['There are no dead messages.'])
  const rows = answer.map((message): Row => {
    const died = numberIn(message, 'failed_at')
    return [
      textIn(message, 'id'),
      died === undefined ? UNKNOWN : `${duration(Math.max(0, nowMs - died * 1000))} ago`,
      textIn(message, 'retries'),
      { text: shortened(textIn(message, 'error')), colour: 'red' },
      dataOf(message, 'payload'),
    ]
  })
  return lines(table([DEAD, ...rows], { colours }))
}
