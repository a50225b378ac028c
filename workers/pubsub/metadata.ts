/**
 * What a subscriber gets beside the message: the metadata of its trigger, and in it `topic` and `published_at` (milliseconds
 * since 1970), unless the trigger has members of these names itself. Metadata that is no object stays as it is.
 */
import { asJsonText, fromJsonText, type JsonText, quote } from '../../src/protocol/jsonText.ts'

/** How the metadata of one trigger is written around that of each message; the parts of it that can be made beforehand. */
export interface MetadataForm {
  /** Members of the message that are written. */
  readonly topic: boolean
  readonly publishedAt: boolean
  /** What follows them: the members of the trigger and the closing brace. */
  readonly rest: string
  /** Set: nothing is added. */
  readonly whole: JsonText | undefined
}

const PLAIN: MetadataForm = { topic: true, publishedAt: true, rest: '}', whole: undefined }

export function metadataForm(own: JsonText | undefined): MetadataForm {
  if (own === undefined) return PLAIN
  const value = fromJsonText(own)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { ...PLAIN, whole: own }
  const topic = !Object.hasOwn(value, 'topic')
  const publishedAt = !Object.hasOwn(value, 'published_at')
  if (!topic && !publishedAt) return { ...PLAIN, whole: own }
  const members = own.slice(own.indexOf('{') + 1)
  return { topic, publishedAt, rest: members.trimStart() === '}' ? '}' : `,${members}`, whole: undefined }
}

/** Writes the metadata of one message; triggers without metadata share one text. */
export function createMetadataWriter(topic: string, publishedAtMs: number): (form: MetadataForm) => JsonText {
  const first = `"topic":${quote(topic)}`
  const second = `"published_at":${publishedAtMs}`
  const both = `{${first},${second}`
  const plain = asJsonText(`${both}}`)
  return ({ topic: hasTopic, publishedAt, rest, whole }) => {
    if (whole !== undefined) return whole
    if (hasTopic && publishedAt) return rest === '}' ? plain : asJsonText(both + rest)
    return asJsonText(`{${hasTopic ? first : second}${rest}`)
  }
}
