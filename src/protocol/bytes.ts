/** Bytes in buffers: copied, and read as text. */

/** Copies `source[from..to)` to `target[at..)`. The two may lie in the same buffer. */
export type CopyBytes = (source: Uint8Array, from: number, to: number, target: Uint8Array, at: number) => void

function copyBySet(source: Uint8Array, from: number, to: number, target: Uint8Array, at: number): void {
  target.set(source.subarray(from, to), at)
}

// Browsers have no Buffer. Where it exists its copy takes 20 ns whatever the length; `set` needs a view of the
// source first, which costs more than twice as much and leaves garbage.
const nativeCopy = typeof Buffer === 'undefined' ? undefined : Buffer.prototype.copy

function copyByBuffer(source: Uint8Array, from: number, to: number, target: Uint8Array, at: number): void {
  nativeCopy!.call(source as Buffer, target, at, from, to)
}

export const copyBytes: CopyBytes = nativeCopy === undefined ? copyBySet : copyByBuffer

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads `bytes[start..end)` as UTF-8; `undefined` if it is not. */
export function readText(bytes: Uint8Array, start: number, end: number): string | undefined {
  try {
    return decoder.decode(bytes.subarray(start, end))
  } catch {
    return undefined
  }
}

type Slice = (this: Uint8Array, start: number, end: number) => string

const nativeSlice =
  typeof Buffer === 'undefined'
    ? undefined
    : (Buffer.prototype as unknown as { readonly utf8Slice: Slice }).utf8Slice

/** The same for bytes that are known to be UTF-8: needs no view of them, and takes half the time. */
export function readCheckedText(bytes: Uint8Array, start: number, end: number): string {
  return nativeSlice === undefined
    ? decoder.decode(bytes.subarray(start, end))
    : nativeSlice.call(bytes, start, end)
}

/** Names longer than this are not remembered. */
const REMEMBERED_BYTES = 128
const REMEMBERED_NAMES = 4096
const rememberedBytes: (Uint8Array | undefined)[] = new Array(REMEMBERED_NAMES).fill(undefined)
const rememberedNames: string[] = new Array(REMEMBERED_NAMES).fill('')

/**
 * Reads a name, as `readText` does. Names come again and again: one that was read before is found by its bytes, which
 * makes no garbage and gives a string whose hash is known already. One place per hash, the newest name wins.
 */
export function readName(bytes: Uint8Array, start: number, end: number): string | undefined {
  const length = end - start
  if (length > REMEMBERED_BYTES) return readText(bytes, start, end)
  let hash = length
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + bytes[at]!) | 0
  const place = (hash ^ (hash >>> 15)) & (REMEMBERED_NAMES - 1)
  const known = rememberedBytes[place]
  if (known !== undefined && known.length === length) {
    let same = 0
    while (same < length && known[same] === bytes[start + same]) same++
    if (same === length) return rememberedNames[place]
  }
  const name = readText(bytes, start, end)
  if (name !== undefined) {
    rememberedBytes[place] = bytes.slice(start, end)
    rememberedNames[place] = name
  }
  return name
}

function countUtf8(text: string): number {
  let bytes = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x80) bytes++
    else if (code < 0x800) bytes += 2
    else if (code >= 0xd800 && code < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      bytes += 4
      i++
    } else bytes += 3
  }
  return bytes
}

/** Bytes of a text in UTF-8; half a surrogate pair counts as U+FFFD, which takes its place. */
export const utf8Length: (text: string) => number =
  typeof Buffer === 'undefined' ? countUtf8 : text => Buffer.byteLength(text)
