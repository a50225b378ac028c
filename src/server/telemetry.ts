/** Telemetry frames: binary messages that start with a four-letter tag (`docs/protocol/json.md#text-and-binary`). */

const TAGS: ReadonlySet<number> = new Set(
  ['OTLP', 'MTRC', 'LOGS'].map(tag => Buffer.from(tag).readUInt32BE(0)),
)

export function isTelemetry(message: Buffer): boolean {
  return message.length >= 4 && TAGS.has(message.readUInt32BE(0))
}
