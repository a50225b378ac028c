/** Reads a stream line by line until it ends. The last line needs no line break. */
export async function eachLine(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: string) => void,
): Promise<void> {
  const decoder = new TextDecoder()
  // A line of many megabytes comes in thousands of pieces: they are joined once, when it ends.
  let pieces: string[] = []
  for await (const bytes of stream) {
    const [first = '', ...rest] = decoder.decode(bytes, { stream: true }).split('\n')
    pieces.push(first)
    for (const next of rest) {
      onLine(pieces.join(''))
      pieces = [next]
    }
  }
  const last = pieces.join('')
  if (last !== '') onLine(last)
}
