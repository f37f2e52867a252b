/** An MCP server with one tool, `look`: a picture and a question in, what the model sees out. */
import { fileURLToPath } from "node:url";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { z } from "zod";
import { errorTraits, PlatformError } from "../../base/errors.ts";
import type { AnswerSource, SeenImage } from "../answer-source.ts";
import type { SamplingFlags } from "../options.ts";
import { shownPicture } from "./shown-picture.ts";

export type LookServerParts = {
  readonly version: string;
  /** Who answers; asked for with the first question. */
  readonly source: () => Promise<AnswerSource>;
  /** Folders whose pictures may be looked at, absolute; the client's own roots, else `cwd`, when empty. */
  readonly folders: readonly string[];
  readonly cwd: string;
  readonly sampling: SamplingFlags;
};

const question = z.object({
  image: z
    .string()
    .min(1)
    .describe("The picture: a path, an http(s) address, or a data:image/…;base64, URL."),
  question: z
    .string()
    .min(1)
    .default("Describe this picture.")
    .describe("What to find out about it, in a sentence."),
});

const answer = z.object({
  answer: z.string(),
  finish_reason: z.enum(["stop", "length"]),
  image: z
    .object({
      width: z.number().int(),
      height: z.number().int(),
      tiles: z.number().int(),
      cached: z.boolean(),
    })
    .nullable()
    .describe("The picture as it was seen; null when the server did not say."),
});

/** Not connected yet. */
export function lookServer(parts: LookServerParts): McpServer {
  const server = new McpServer({ name: "atalaya", version: parts.version });
  server.registerTool(
    "look",
    {
      title: "Look at a picture",
      description:
        "Ask a vision model on this machine about one picture: what it shows, what is written on it, how many there are. It sees only this picture and this question.",
      inputSchema: question.shape,
      outputSchema: answer.shape,
      annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
    },
    async ({ image, question: text }, { signal }) => {
      try {
        const folders = await allowedFolders(server, parts);
        const picture = await shownPicture(image, { folders, cwd: parts.cwd });
        const source = await parts.source();
        const seen = await ask(source, { picture, text, sampling: parts.sampling, signal });
        return { content: [{ type: "text", text: seen.answer }], structuredContent: seen };
      } catch (error) {
        // The model that asked reads the reason, and can do better the next time.
        const isKnown = error instanceof PlatformError && error.code in errorTraits;
        if (!isKnown && !(error instanceof Error && error.name === "ApiError")) throw error;
        return { isError: true, content: [{ type: "text", text: error.message }] };
      }
    },
  );
  return server;
}

async function allowedFolders(
  { server }: McpServer,
  { folders, cwd }: LookServerParts,
): Promise<readonly string[]> {
  if (folders.length > 0) return folders;
  if (server.getClientCapabilities()?.roots === undefined) return [cwd];
  const { roots } = await server.listRoots();
  const directories = roots.flatMap(({ uri }) =>
    /^file:\/\/\//i.test(uri) && URL.canParse(uri) ? [fileURLToPath(uri)] : [],
  );
  return directories.length > 0 ? directories : [cwd];
}

async function ask(
  source: AnswerSource,
  options: {
    readonly picture: Awaited<ReturnType<typeof shownPicture>>;
    readonly text: string;
    readonly sampling: SamplingFlags;
    readonly signal: AbortSignal;
  },
): Promise<z.infer<typeof answer>> {
  const { picture, text, sampling, signal } = options;
  let words = "";
  let seen: SeenImage | undefined;
  let reason: "stop" | "length" = "stop";
  const turn = {
    role: "user" as const,
    content: [
      { type: "image" as const, image: picture },
      { type: "text" as const, text },
    ],
  };
  for await (const event of source.ask([turn], { sampling, signal })) {
    if (event.type === "text") words += event.text;
    else if (event.type === "image") seen = event.image;
    else if (event.reason === "length") reason = "length";
  }
  return {
    answer: words.trim(),
    finish_reason: reason,
    image:
      seen === undefined
        ? null
        : {
            width: seen.width,
            height: seen.height,
            tiles: seen.grid.rows * seen.grid.columns,
            cached: seen.cached,
          },
  };
}
