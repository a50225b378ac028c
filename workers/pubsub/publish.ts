/** The input of `publish`: its topic is read, its data is cut out of the text and never looked into. */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import { createObjectScanner } from '../../src/protocol/json/scan.ts'
import { asJsonText, type JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'

export const PUBLISH = 'publish'

export interface Publication {
  readonly topic: string
  readonly data: JsonText
  readonly withReceipt: boolean
}

const TOPIC = 0
const DATA = 1
const WITH_RECEIPT = 2
const QUOTE = 34

function refuse(detail: string): never {
  throw new HandlerError('deserialization_error', `Failed to deserialize input for ${PUBLISH}: ${detail}`)
}

/** Throws a `HandlerError`. */
export function createPublishReader(): (text: JsonText) => Publication {
  const scanner = createObjectScanner(['topic', 'data', 'with_receipt'])
  return text => {
    if (scanner.scan(text) !== undefined) return refuse('expected an object {topic, data}')
    if (!scanner.has(TOPIC)) return refuse('missing field `topic`')
    if (scanner.firstCode(TOPIC) !== QUOTE) return refuse('field `topic`: expected a string')
    if (!scanner.has(DATA)) return refuse('missing field `data`')
    const topic = scanner.text(TOPIC)
    if (topic === '') throw new HandlerError('topic_not_set', 'Topic is not set')
    if (topic.length > limits.topicLength) {
      const most = `${limits.topicLength} characters are the most`
      throw new HandlerError('topic_too_long', `The topic has ${topic.length} characters; ${most}`)
    }
    const withReceipt = scanner.has(WITH_RECEIPT) && scanner.slice(WITH_RECEIPT) === 'true'
    return { topic, data: asJsonText(scanner.slice(DATA)), withReceipt }
  }
}
