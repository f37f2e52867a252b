/** The text of a systemd unit that keeps a server running. */

export type UnitOptions = {
  /** The Node that runs it and the program's main file, absolute. */
  readonly command: readonly [node: string, main: string];
  /** What `serve` is given. */
  readonly serveArguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Of the machine, or of the person who installs it. */
  readonly scope: "system" | "user";
  /** Whose account a system's unit runs under. */
  readonly user: string | undefined;
};

/** Seconds that answers under way have, and a little more: the server itself ends them after 30. */
const stopSeconds = 45;

export function systemdUnit(options: UnitOptions): string {
  const { command, serveArguments, environment, scope, user } = options;
  const words = [...command, "serve", ...serveArguments].map(quoted).join(" ");
  const variables = Object.entries(environment).map(
    ([name, value]) => `Environment=${quoted(`${name}=${value}`)}`,
  );
  const lines = [
    "[Unit]",
    "Description=Atalaya, which serves Llama 3.2 Vision",
    ...(scope === "system" ? ["After=network-online.target", "Wants=network-online.target"] : []),
    "",
    "[Service]",
    "Type=simple",
    `ExecStart=${words}`,
    ...variables,
    ...(user === undefined ? [] : [`User=${user}`]),
    "Restart=on-failure",
    "RestartSec=5",
    "KillSignal=SIGTERM",
    "KillMode=mixed",
    `TimeoutStopSec=${stopSeconds}`,
    "NoNewPrivileges=yes",
    "UMask=0077",
    "",
    "[Install]",
    `WantedBy=${scope === "system" ? "multi-user.target" : "default.target"}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** A word as systemd reads it: quoted, with its specifiers and variables taken literally. */
function quoted(word: string): string {
  const literal = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /^[\w@%+=:,./$-]+$/.test(literal)
    ? literal
    : `"${literal.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
