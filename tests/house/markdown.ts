/** What the tests need to know of a Markdown page: its links, its headings, its marked blocks of code. */

export interface Link {
  line: number
  target: string
}

/** A fenced block below a mark: `run`, `run while started`, `prints` or `prints at start`, each as `<!-- … -->`. */
export interface Block {
  line: number
  mark: string
  language: string
  code: string
}

export interface Page {
  links: Link[]
  /** As GitHub names them in links: `#where-things-are`. */
  anchors: Set<string>
  blocks: Block[]
}

const fence = /^\s*(```+|~~~+)\s*(\w*)/
const marked = /^<!--\s*(run|run while started|prints|prints at start)\s*-->$/
const link = /\[(?:[^\]\\]|\\.)*\]\(([^()\s]+)(?:\s+"[^"]*")?\)/g

export function readPage(text: string): Page {
  const page: Page = { links: [], anchors: new Set(), blocks: [] }
  let mark: string | undefined
  let open: { end: string; block: Block } | undefined
  text.split('\n').forEach((content, at) => {
    const line = at + 1
    if (open !== undefined) {
      if (content.trim().startsWith(open.end)) {
        if (open.block.mark !== '') page.blocks.push(open.block)
        open = undefined
      } else open.block.code += `${content}\n`
      return
    }
    const [, end, language] = fence.exec(content) ?? []
    if (end !== undefined) {
      open = { end, block: { line, mark: mark ?? '', language: language ?? '', code: '' } }
      mark = undefined
      return
    }
    if (content.trim() !== '') mark = marked.exec(content.trim())?.[1]
    const heading = /^#+\s+(.*)$/.exec(content)?.[1]
    if (heading !== undefined) page.anchors.add(anchorOf(heading))
    for (const [, target] of content.replaceAll(/`[^`]*`/g, '').matchAll(link)) {
      page.links.push({ line, target: target! })
    }
  })
  return page
}

function anchorOf(heading: string): string {
  const words = heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
  return words.trim().replaceAll(/\s/g, '-')
}
