/**
 * Text from elsewhere, made harmless for a terminal: no control characters (escape sequences, a carriage return that
 * overwrites the line), and none of the marks that make text run backwards or disappear.
 */

const CONTROL = /[\x00-\x1f\x7f-\x9f]/g
const BIDIRECTIONAL = /[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

/** One line of plain text; line breaks and tabs become blanks. */
export function cleanText(text: string): string {
  return text
    .replace(/[\t\r\n]+/g, ' ')
    .replace(CONTROL, '')
    .replace(BIDIRECTIONAL, '')
}

/** The same for JSON text: the characters are escaped, so that the value stays what it was. */
export function cleanJson(json: string): string {
  const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  // Line breaks and blanks between the tokens are the layout; within strings they are escaped already.
  return json.replace(/[\x7f-\x9f]/g, escaped).replace(BIDIRECTIONAL, escaped)
}
