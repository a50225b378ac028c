/** Finding one's way through msgpack without building values. All positions are indexes into the buffer. */

/** Instead of a position: the buffer ends within a value. */
export const TRUNCATED = -1
/** Instead of a position: the byte 0xc1, which no value begins with. */
export const INVALID = -2

export const NIL = 0xc0

/** For the lead bytes 0xc0…0xdf: how many bytes of the value follow that are always there, beyond its length field. */
const FIXED = [
  // nil, –, false, true, bin 8/16/32, ext 8/16/32 (the type)
  0, 0, 0, 0, 0, 0, 0, 1, 1, 1,
  // float 32/64, uint 8/16/32/64, int 8/16/32/64
  4, 8, 1, 2, 4, 8, 1, 2, 4, 8,
  // fixext 1/2/4/8/16, str 8/16/32, array 16/32, map 16/32
  2, 3, 5, 9, 17, 0, 0, 0, 0, 0, 0, 0,
] as const

/** For the same: how wide the length field is. */
const LENGTH_WIDTH = [
  0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4,
] as const

const FIXED_BYTES = Uint8Array.from(FIXED)
const LENGTH_WIDTHS = Uint8Array.from(LENGTH_WIDTH)

/** An unsigned number of 1, 2 or 4 bytes. */
export function unsignedAt(bytes: Uint8Array, at: number, width: number): number {
  if (width === 1) return bytes[at]!
  if (width === 2) return (bytes[at]! << 8) | bytes[at + 1]!
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

/**
 * The position after the value at `from`, or a negative verdict. Containers are counted, not entered, so that depth
 * costs nothing; a length or count that lies is found before anything is done with it. Linear in the bytes passed.
 */
export function skipValue(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  let pending = 1
  do {
    if (at >= to) return TRUNCATED
    const lead = bytes[at++]!
    pending--
    if (lead < 0x80 || lead >= 0xe0) continue
    if (lead >= 0xc0) {
      if (lead === 0xc1) return INVALID
      const width = LENGTH_WIDTHS[lead - 0xc0]!
      let length = 0
      if (width > 0) {
        if (at + width > to) return TRUNCATED
        length = unsignedAt(bytes, at, width)
        at += width
      }
      if (lead >= 0xdc) pending += lead >= 0xde ? 2 * length : length
      else at += length + FIXED_BYTES[lead - 0xc0]!
    } else if (lead >= 0xa0) at += lead & 31
    else pending += lead < 0x90 ? 2 * (lead & 15) : lead & 15
    // Each pending value takes a byte at least.
    if (at + pending > to) return TRUNCATED
  } while (pending > 0)
  return at
}

/** Where the content of the text, ext or container found last begins and ends, its count or type. */
export const found = { start: 0, end: 0, count: 0, type: 0 }

/** These look at a value that `skipValue` has passed; false if it is of another kind. */

export function findText(bytes: Uint8Array, at: number): boolean {
  const lead = bytes[at]!
  if (lead >= 0xa0 && lead < 0xc0) {
    found.start = at + 1
    found.end = found.start + (lead & 31)
    return true
  }
  if (lead < 0xd9 || lead > 0xdb) return false
  const width = LENGTH_WIDTHS[lead - 0xc0]!
  found.start = at + 1 + width
  found.end = found.start + unsignedAt(bytes, at + 1, width)
  return true
}

export function findExt(bytes: Uint8Array, at: number): boolean {
  const lead = bytes[at]!
  if (lead >= 0xd4 && lead <= 0xd8) {
    found.type = bytes[at + 1]!
    found.start = at + 2
    found.end = found.start + (1 << (lead - 0xd4))
    return true
  }
  if (lead < 0xc7 || lead > 0xc9) return false
  const width = LENGTH_WIDTHS[lead - 0xc0]!
  found.type = bytes[at + 1 + width]!
  found.start = at + 2 + width
  found.end = found.start + unsignedAt(bytes, at + 1, width)
  return true
}

/** `small`: lead of the empty container with its count inside; `wide`: lead of the form with a count of 2 bytes. */
function findContainer(bytes: Uint8Array, at: number, small: number, wide: number): boolean {
  const lead = bytes[at]!
  if ((lead & 0xf0) === small) {
    found.count = lead & 15
    found.start = at + 1
    return true
  }
  if (lead !== wide && lead !== wide + 1) return false
  const width = lead === wide ? 2 : 4
  found.count = unsignedAt(bytes, at + 1, width)
  found.start = at + 1 + width
  return true
}

export const findArray = (bytes: Uint8Array, at: number): boolean => findContainer(bytes, at, 0x90, 0xdc)
export const findMap = (bytes: Uint8Array, at: number): boolean => findContainer(bytes, at, 0x80, 0xde)

/** The integer at a position if it is one from 0 to 2^32 − 1, in whatever form; −1 otherwise. */
export function smallUnsigned(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!
  if (lead < 0x80) return lead
  switch (lead) {
    case 0xcc:
      return bytes[at + 1]!
    case 0xcd:
      return unsignedAt(bytes, at + 1, 2)
    case 0xce:
      return unsignedAt(bytes, at + 1, 4)
    case 0xcf:
      return unsignedAt(bytes, at + 1, 4) === 0 ? unsignedAt(bytes, at + 5, 4) : -1
    case 0xd0:
      return bytes[at + 1]! < 0x80 ? bytes[at + 1]! : -1
    case 0xd1:
      return bytes[at + 1]! < 0x80 ? unsignedAt(bytes, at + 1, 2) : -1
    case 0xd2:
      return bytes[at + 1]! < 0x80 ? unsignedAt(bytes, at + 1, 4) : -1
    case 0xd3:
      return unsignedAt(bytes, at + 1, 4) === 0 ? unsignedAt(bytes, at + 5, 4) : -1
    default:
      return -1
  }
}

const view = new DataView(new ArrayBuffer(8))

/** The number at a position, integer or float, as a double; NaN if it is none. */
export function anyNumber(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!
  if (lead < 0x80) return lead
  if (lead >= 0xe0) return lead - 0x100
  if (lead < 0xca || lead > 0xd3) return Number.NaN
  for (let i = 0; i < FIXED_BYTES[lead - 0xc0]!; i++) view.setUint8(i, bytes[at + 1 + i]!)
  switch (lead) {
    case 0xca:
      return view.getFloat32(0)
    case 0xcb:
      return view.getFloat64(0)
    case 0xcc:
      return view.getUint8(0)
    case 0xcd:
      return view.getUint16(0)
    case 0xce:
      return view.getUint32(0)
    case 0xcf:
      return Number(view.getBigUint64(0))
    case 0xd0:
      return view.getInt8(0)
    case 0xd1:
      return view.getInt16(0)
    case 0xd2:
      return view.getInt32(0)
    default:
      return Number(view.getBigInt64(0))
  }
}
