/** What the parts of routes' paths mean, each with an example. */

export type PathParameter = { readonly description: string; readonly example: string };

const demo: PathParameter = { description: "Name of a model that was launched.", example: "demo" };
const family = "llama-3.2-vision";

/** By the name alone, where it means one thing everywhere. */
const byName: Readonly<Record<string, PathParameter>> = {
  uid: demo,
  name: { description: "Name of a family of the registry.", example: family },
  type: { description: "Type of models; the one here is `LLM`.", example: "LLM" },
  replica: { description: "Number of the replica, from 0.", example: "1" },
  request: {
    description: "What the client called its request, in `request_id`.",
    example: "mine-1",
  },
};

/** Where the same name means another thing: by how the path begins. */
const byPath: readonly (readonly [path: string, name: string, meaning: PathParameter])[] = [
  ["/v1/responses/", "id", { description: "Id of a kept response.", example: "resp_0123" }],
  ["/v1/files/", "id", { description: "Id of a file.", example: "file-0123" }],
  ["/v1/batches/", "id", { description: "Id of a batch.", example: "batch_0123" }],
  ["/v1/admin/users/", "id", { description: "Id or name of an account.", example: "ann" }],
  ["/v1/admin/keys/", "id", { description: "Id of a key.", example: "0123" }],
  ["/v1/launch_history/", "name", { description: "Name of the model.", example: "demo" }],
  ["/v1/launch_history/", "uid", { description: "Name that it answered to.", example: "demo" }],
];

/** The parts of a path like `/v1/files/{id}`, in order. */
export function pathParameters(path: string): (PathParameter & { readonly name: string })[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => {
    const found = byPath.find(([begin, own]) => own === name && path.startsWith(begin));
    const meaning = found?.[2] ?? byName[name];
    if (meaning === undefined) throw new Error(`nobody says what ${name} of ${path} means`);
    return { name, ...meaning };
  });
}
