/** A folder as Ollama leaves it: manifests, and layers by digest. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export type StoredLayer = { readonly kind: string; readonly bytes: Uint8Array };

/** @param reference `host/namespace/model:tag` */
export function addToStore(
  store: string,
  reference: string,
  layers: readonly StoredLayer[],
): { readonly manifest: string; readonly blobs: readonly string[] } {
  const manifest = join(store, "manifests", reference.replace(/:([^:/]+)$/, "/$1"));
  mkdirSync(join(store, "blobs"), { recursive: true });
  mkdirSync(dirname(manifest), { recursive: true });
  const described = layers.map(({ kind, bytes }) => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    const blob = join(store, "blobs", `sha256-${hex}`);
    writeFileSync(blob, bytes);
    return { blob, kind, digest: `sha256:${hex}`, size: bytes.length };
  });
  writeFileSync(
    manifest,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.docker.distribution.manifest.v2+json",
      config: {},
      layers: described.map(({ kind, digest, size }) => ({
        mediaType: `application/vnd.ollama.image.${kind}`,
        digest,
        size,
      })),
    }),
  );
  return { manifest, blobs: described.map(({ blob }) => blob) };
}

/** The layers of a model whose files lie on the disk. */
export function modelLayers(
  files: { readonly model: string; readonly projector: string | undefined },
  parameters: unknown,
): StoredLayer[] {
  return [
    { kind: "model", bytes: readFileSync(files.model) },
    ...(files.projector === undefined
      ? []
      : [{ kind: "projector", bytes: readFileSync(files.projector) }]),
    { kind: "template", bytes: Buffer.from("{{ .Prompt }}") },
    { kind: "params", bytes: Buffer.from(JSON.stringify(parameters)) },
    { kind: "license", bytes: Buffer.from("a licence") },
  ];
}
