/** Who imports whom, as TypeScript itself reads it: static, type-only, dynamic and re-exported imports alike. */
import { dirname, join, relative } from 'node:path'
import { type Node, SyntaxKind } from 'typescript/unstable/ast'
import {
  isExportDeclaration,
  isImportDeclaration,
  isLiteralTypeNode,
  isStringLiteral,
} from 'typescript/unstable/ast/is'
import { API } from 'typescript/unstable/async'

export interface Import {
  /** Path of the importing file from the folder of the project, with `/`. */
  from: string
  /** The same of the imported file; `undefined` for a package or a module of the platform. */
  to: string | undefined
  /** As it is written: `../clock/clock.ts`, `zod`, `node:fs`. */
  specifier: string
  /** The import is gone once the types are: it cannot matter in which order files are loaded. */
  typeOnly: boolean
}

/** A source file and its number of lines. */
export interface SourceFile {
  path: string
  lines: number
}

export interface Sources {
  files: SourceFile[]
  imports: Import[]
}

/** Reads every file that `tsconfig` includes. `tsconfig` is an absolute path. */
export async function readSources(tsconfig: string): Promise<Sources> {
  const root = dirname(tsconfig)
  const fromRoot = (path: string) => relative(root, path).replaceAll('\\', '/')
  const api = new API({ cwd: root })
  try {
    const snapshot = await api.updateSnapshot({ openProject: tsconfig })
    const project = snapshot.getProjects()[0]
    if (project === undefined) throw new Error(`TypeScript found no project at ${tsconfig}`)
    const sources: Sources = { files: [], imports: [] }
    for (const path of project.rootFiles) {
      const file = await project.program.getSourceFile(path)
      if (file === undefined) throw new Error(`TypeScript lists ${path} and cannot read it`)
      sources.files.push({ path: fromRoot(path), lines: file.getLineStarts().length })
      for (const node of file.imports) {
        if (!isStringLiteral(node)) throw new Error(`${path} imports something that is not a string`)
        const specifier = node.text
        const to = specifier.startsWith('.') ? fromRoot(join(dirname(path), specifier)) : undefined
        sources.imports.push({ from: fromRoot(path), to, specifier, typeOnly: isTypeOnly(node.parent) })
      }
    }
    return sources
  } finally {
    await api.close()
  }
}

/** `node` is what the module's name stands in. */
function isTypeOnly(node: Node): boolean {
  if (isImportDeclaration(node)) return node.importClause?.phaseModifier === SyntaxKind.TypeKeyword
  if (isExportDeclaration(node)) return node.isTypeOnly
  return isLiteralTypeNode(node)
}
