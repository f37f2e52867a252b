/** A launch as it may be shown again: whatever may be a secret in it is stars. Pure. */

const mask = "******";
const isSecret = (name: string): boolean => /token|secret|password|api_?key|credential/i.test(name);

/** All values of `envs` count as secrets: people put keys there. */
export function withoutSecrets(
  launch: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(launch).map(([name, value]) => {
      if (isSecret(name) && value !== null) return [name, mask];
      if (typeof value !== "object" || value === null || Array.isArray(value)) return [name, value];
      const fields = Object.entries(value);
      return [
        name,
        name === "envs"
          ? Object.fromEntries(fields.map(([field]) => [field, mask]))
          : withoutSecrets(Object.fromEntries(fields)),
      ];
    }),
  );
}
